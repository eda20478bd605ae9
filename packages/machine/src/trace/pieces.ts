/** Pieces of a trace that were computed again, the last used last, of so many bytes together. */
export class PieceCache<Piece extends { bytes: number }> {
  readonly #pieces = new Map<string, Piece>();
  readonly #limit: number;
  #held = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** The piece of this key, made if it is not held. The last one stays whatever its size. */
  get(key: string, make: () => Piece): Piece {
    const found = this.#pieces.get(key);
    const piece = found ?? make();
    if (found) this.#pieces.delete(key);
    else this.#held += piece.bytes;
    this.#pieces.set(key, piece);
    for (const [old, { bytes }] of this.#pieces) {
      if (this.#held <= this.#limit || old === key) break;
      this.#pieces.delete(old);
      this.#held -= bytes;
    }
    return piece;
  }

  clear(): void {
    this.#pieces.clear();
    this.#held = 0;
  }
}
