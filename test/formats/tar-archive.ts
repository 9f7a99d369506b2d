/** Tar archives for tests. */

export interface TarMember {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Type flag; default '0', a plain file. */
  readonly kind?: string;
}

function header({ name, content, kind = '0' }: TarMember): Buffer {
  const block = Buffer.alloc(512);
  const cut = name.length > 100 ? name.lastIndexOf('/', 154) : -1;
  block.write(name.slice(cut + 1), 0);
  block.write('0000644', 100);
  block.write(content.length.toString(8).padStart(11, '0'), 124);
  block.write(' '.repeat(8), 148);
  block.write(kind, 156);
  block.write('ustar\u000000', 257);
  if (cut > 0) block.write(name.slice(0, cut), 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148);
  return block;
}

/** Bytes of an archive with these members. */
export function tarArchive(members: readonly TarMember[]): Uint8Array {
  const parts = members.flatMap((member) => {
    const content = Buffer.from(member.content);
    return [header(member), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return new Uint8Array(Buffer.concat([...parts, Buffer.alloc(1024)]));
}
