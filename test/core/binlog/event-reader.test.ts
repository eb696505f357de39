import { describe, expect, it } from 'vitest';
import { crc32, tableCrc32 } from '../../../src/core/binlog/crc32.ts';
import { EventReader } from '../../../src/core/binlog/event-reader.ts';

const FILE = 'mysql-bin.000001';

/** Events as a server writes them: each knows where it ends. */
class Binlog {
  position: number;
  readonly hasChecksums: boolean;

  constructor(position = 4, hasChecksums = true) {
    this.position = position;
    this.hasChecksums = hasChecksums;
  }

  event(type: number, body: Buffer, options: { flags?: number; end?: number; artificial?: boolean } = {}): Buffer {
    const size = 19 + body.length + (this.hasChecksums ? 4 : 0);
    const bytes = Buffer.alloc(size);
    bytes.writeUInt32LE(1_700_000_000, 0);
    bytes[4] = type;
    bytes.writeUInt32LE(7, 5);
    bytes.writeUInt32LE(size, 9);
    if (options.artificial !== true) {
      this.position = options.end ?? this.position + size;
      bytes.writeUInt32LE(this.position % 2 ** 32, 13);
    }
    bytes.writeUInt16LE(options.flags ?? 0, 17);
    body.copy(bytes, 19);
    if (this.hasChecksums) bytes.writeUInt32LE(crc32(bytes, 0, size - 4), size - 4);
    return bytes;
  }

  format(options: { artificial?: boolean; created?: number; inUse?: boolean } = {}): Buffer {
    const types = 41;
    const body = Buffer.alloc(57 + types + 1);
    body.writeUInt16LE(4, 0);
    body.writeUInt32LE(options.created ?? 0, 52);
    body[56] = 19;
    body[57 + 14] = 57 + types;
    body[57 + types] = this.hasChecksums ? 1 : 0;
    const bytes = this.event(15, this.hasChecksums ? body : Buffer.concat([body, Buffer.alloc(4)]), options);
    if (options.inUse === true) bytes.writeUInt16LE(1, 17);
    return bytes;
  }

  query(sql: string): Buffer {
    const head = Buffer.alloc(13);
    head[8] = 1;
    return this.event(2, Buffer.concat([head, Buffer.from(`s\0${sql}`)]));
  }

  xid(): Buffer {
    return this.event(16, Buffer.alloc(8));
  }

  tableMap(table = 't'): Buffer {
    const body = Buffer.from([1, 0, 0, 0, 0, 0, 1, 0, 1, 0x73, 0, table.length, ...Buffer.from(table), 0, 1, 3, 0, 0]);
    return this.event(19, body);
  }

  insert(type = 30): Buffer {
    return this.event(type, Buffer.from([1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 0xff, 0, 42, 0, 0, 0]));
  }
}

function reader(offset = 4, wants: (table: { table: string }) => boolean = () => true) {
  const events = new EventReader({ from: { file: FILE, offset }, wants });
  return (bytes: Buffer) => events.read(bytes, 0, bytes.length);
}

describe('reading events', () => {
  it('reads a transaction with and without checksums', () => {
    for (const hasChecksums of [true, false]) {
      const binlog = new Binlog(4, hasChecksums);
      const read = reader();
      expect(read(binlog.format({ inUse: true }))).toBeUndefined();
      const start = binlog.position;
      expect(read(binlog.query('BEGIN'))).toEqual({
        kind: 'begin',
        start: { file: FILE, offset: start },
        timestamp: 1_700_000_000_000_000,
      });
      expect(read(binlog.tableMap())).toBeUndefined();
      expect(read(binlog.insert())).toMatchObject({ kind: 'rows', op: 'I', table: { schema: 's', table: 't' } });
      const offset = binlog.position;
      const xid = binlog.xid();
      expect(read(xid)).toEqual({
        kind: 'commit',
        mark: {
          file: FILE,
          offset,
          timestamp: 1_700_000_000,
          checksum: hasChecksums ? xid.readUInt32LE(xid.length - 4) : crc32(xid, 0, xid.length),
        },
        position: { file: FILE, offset: binlog.position },
      });
    }
  });

  it('keeps the table map object as long as the server repeats the map', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    const tables = ['t', 't', 'u', 'u'].map((name) => {
      read(binlog.tableMap(name));
      const event = read(binlog.insert());
      return event?.kind === 'rows' ? event.table : undefined;
    });
    expect(tables[1]).toBe(tables[0]);
    expect(tables[2]).not.toBe(tables[1]);
    expect(tables[2]?.table).toBe('u');
    expect(tables[3]).toBe(tables[2]);
  });

  it('asks anew whether a table is wanted, and reads nothing of one that is not', () => {
    const binlog = new Binlog();
    let wanted = false;
    const read = reader(4, () => wanted);
    read(binlog.format());
    read(binlog.tableMap());
    expect(read(binlog.insert())).toBeUndefined();
    wanted = true;
    read(binlog.tableMap());
    expect(read(binlog.insert())).toMatchObject({ kind: 'rows' });
    wanted = false;
    read(binlog.tableMap());
    expect(read(binlog.insert())).toBeUndefined();
  });

  it('counts on beyond 4 GB, where the header starts again from zero', () => {
    const binlog = new Binlog(2 ** 32 - 100);
    const read = reader(2 ** 32 - 100);
    read(binlog.format({ artificial: true }));
    read(binlog.query('BEGIN'));
    for (let i = 0; i < 5; i++) read(binlog.tableMap());
    const commit = read(binlog.xid());
    expect(binlog.position).toBeGreaterThan(2 ** 32);
    expect(commit).toMatchObject({ kind: 'commit', position: { offset: binlog.position } });
    const again = new Binlog(binlog.position);
    expect(read(again.query('BEGIN'))).toMatchObject({ start: { offset: binlog.position } });
  });

  it('passes over the room of events that were not sent', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    binlog.position += 333;
    const start = binlog.position;
    expect(read(binlog.query('BEGIN'))).toMatchObject({ start: { offset: start } });
  });

  it('moves to another file at either kind of rotate, and says so once', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    const target = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('mysql-bin.000002')]);
    expect(read(binlog.event(4, target))).toEqual({ kind: 'rotate', file: 'mysql-bin.000002' });
    expect(read(binlog.event(4, target, { artificial: true, flags: 0x20 }))).toBeUndefined();
    const bare = new Binlog(4, false);
    expect(read(bare.event(4, target, { artificial: true, flags: 0x20 }))).toBeUndefined();
    const next = new Binlog();
    read(next.format());
    expect(read(next.query('CREATE TABLE x (i int)'))).toMatchObject({
      kind: 'statement',
      schema: 's',
      sql: 'CREATE TABLE x (i int)',
      position: { file: 'mysql-bin.000002', offset: next.position },
    });
  });

  it('refuses an event whose checksum is wrong', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    const bytes = binlog.query('DROP TABLE t');
    bytes[bytes.length - 6] = (bytes[bytes.length - 6] ?? 0) ^ 1;
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code: 'source.corrupt' }));
  });

  it('refuses events that overlap, or are cut', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    const query = binlog.query('DROP TABLE t');
    expect(() => read(query.subarray(0, query.length - 1))).toThrow(
      expect.objectContaining({ code: 'source.corrupt' }),
    );
    expect(() => read(binlog.event(16, Buffer.alloc(8), { end: 30 }))).not.toThrow(TypeError);
    const overlapping = reader(1000);
    overlapping(new Binlog().format({ artificial: true }));
    expect(() => overlapping(new Binlog(980).query('BEGIN'))).toThrow(
      expect.objectContaining({ code: 'source.corrupt' }),
    );
  });

  it('says that a crash of the server cut a transaction off, if its rows were handed out', () => {
    for (const wanted of [true, false]) {
      const binlog = new Binlog();
      const read = reader(4, () => wanted);
      read(binlog.format());
      read(binlog.query('BEGIN'));
      read(binlog.tableMap());
      read(binlog.insert());
      const target = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('mysql-bin.000002')]);
      read(binlog.event(4, target, { artificial: true, flags: 0x20 }));
      const next = new Binlog();
      const head = read(next.format({ created: 1_700_000_000 }));
      if (wanted) expect(head).toMatchObject({ kind: 'unsupported', what: expect.stringContaining('cut off') });
      else expect(head).toBeUndefined();
      expect(read(next.query('BEGIN'))).toMatchObject({ kind: 'begin' });
    }
  });

  it('takes no event for harmless that it does not know, unless the server marked it so', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    expect(read(binlog.event(99, Buffer.alloc(10)))).toEqual({
      kind: 'unsupported',
      what: 'a binlog event of type 99',
    });
    expect(read(binlog.event(99, Buffer.alloc(10), { flags: 0x80 }))).toBeUndefined();
    for (const type of [0, 1, 6, 8, 10, 12, 20, 21, 22, 40, 42, 165])
      expect(read(binlog.event(type, Buffer.alloc(30)))).toMatchObject({ kind: 'unsupported' });
    read(binlog.tableMap());
    for (const type of [39, 166, 167, 168, 169, 170, 171])
      expect(read(binlog.event(type, binlog.insert().subarray(19, -4)))).toMatchObject({
        kind: 'unsupported',
        table: { schema: 's', table: 't' },
      });
  });

  it('hands on an incident with its text', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    const body = Buffer.concat([Buffer.from([1, 0, 4]), Buffer.from('lost')]);
    expect(read(binlog.event(26, body))).toEqual({ kind: 'incident', message: 'lost' });
    expect(read(binlog.event(26, Buffer.from([1, 0, 0])))).toEqual({ kind: 'incident', message: 'incident 1' });
  });

  it('says an ALTER TABLE that MariaDB logs in two phases', () => {
    const binlog = new Binlog();
    const read = reader();
    read(binlog.format());
    const body = Buffer.alloc(19);
    body.writeBigUInt64LE(5n, 0);
    body[12] = 1;
    body[13] = 2;
    expect(read(binlog.event(162, body))).toMatchObject({
      kind: 'unsupported',
      what: expect.stringContaining('two_phase'),
    });
  });
});

describe('the checksum', () => {
  it('is the same by table and by zlib, at every length', () => {
    const bytes = Buffer.from(Array.from({ length: 600 }, (_, i) => (i * 31) % 256));
    for (let length = 0; length < 550; length++)
      expect(crc32(bytes, 7, 7 + length)).toBe(tableCrc32(bytes, 7, 7 + length));
    expect(tableCrc32(Buffer.from('123456789'), 0, 9)).toBe(0xcbf43926);
  });
});
