/** A zip file, written by its bytes: stored, not deflated, and dated alike, so that the same content always has the same hash. */

import { tableCrc32 } from '../../binlog/crc32.ts';

/** 1980-01-01, the first day a zip knows. */
const DOS_DATE = 0x21;
/** A plain file that everybody may read: Lambda runs functions as a user of its own. */
const UNIX_MODE = 0o100644;

export function zipArchive(files: readonly { name: string; body: Uint8Array }[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, body } of files) {
    const path = Buffer.from(name, 'utf8');
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0); // version needed: 2.0
    shared.writeUInt16LE(0x800, 2); // the name is UTF-8
    shared.writeUInt16LE(DOS_DATE, 8);
    shared.writeUInt32LE(tableCrc32(body, 0, body.length) >>> 0, 10);
    shared.writeUInt32LE(body.length, 14);
    shared.writeUInt32LE(body.length, 18);
    shared.writeUInt16LE(path.length, 22);
    const local = Buffer.concat([signature(0x04034b50), shared, path, body]);

    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(UNIX_MODE * 0x10000, 6);
    tail.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, 3]); // 2.0 on Unix: without it the mode does not count
    directory.push(Buffer.concat([signature(0x02014b50), madeBy, shared, tail, path]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, central, signature(0x06054b50), end]);
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
