import { deflateRawSync } from "node:zlib";

export type WrittenMember = {
  name: string;
  content: Uint8Array;
  method?: "stored" | "deflated";
  flags?: number;
  methodCode?: number;
};

const fields = (layout: [bytes: 2 | 4, value: number][]): Buffer =>
  Buffer.concat(
    layout.map(([bytes, value]) => {
      const field = Buffer.alloc(bytes);
      field.writeUIntLE(value, 0, bytes);
      return field;
    }),
  );

/** The bytes of a zip file. Checksums are left 0: what reads it here compares SHA-256. */
export function writeZip(members: WrittenMember[], comment = ""): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, method = "deflated", flags = 0, methodCode } of members) {
    const packed = method === "stored" ? Buffer.from(content) : deflateRawSync(content);
    const code = methodCode ?? (method === "stored" ? 0 : 8);
    const common: [2 | 4, number][] = [
      [2, flags],
      [2, code],
      [4, 0],
      [4, 0],
      [4, packed.length],
      [4, content.length],
      [2, name.length],
    ];
    const local = Buffer.concat([
      fields([[4, 0x04034b50], [2, 20], ...common, [2, 5]]),
      Buffer.from(name),
      Buffer.from("extra"),
      packed,
    ]);
    directory.push(
      fields([[4, 0x02014b50], [2, 20], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]),
      Buffer.from(name),
    );
    parts.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = fields([
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, members.length],
    [2, members.length],
    [4, entries.length],
    [4, offset],
    [2, comment.length],
  ]);
  return Buffer.concat([...parts, entries, end, Buffer.from(comment)]);
}
