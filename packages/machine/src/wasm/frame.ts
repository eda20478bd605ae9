/**
 * A frame is what a compiled fold reads its parameters from: slots of eight bytes. The first of them is no parameter: a
 * load of a step that was not computed sets it to 1.
 */
export const MISSING_OFFSET = 0;
const SLOT_BYTES = 8;

/** Offset of a parameter in a frame. */
export const slotOffset = (slot: number): number => (slot + 1) * SLOT_BYTES;
/** Size of a frame with so many parameters. */
export const frameBytes = (slots: number): number => slotOffset(slots);
