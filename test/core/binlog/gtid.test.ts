import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainPosition, GtidSet, isDomainPosition } from '../../../src/core/binlog/gtid.ts';
import { GtidTracker } from '../../../src/core/binlog/gtid-tracker.ts';

const A = 'aaaaaaaa-0000-0000-0000-000000000001';
const B = 'bbbbbbbb-0000-0000-0000-000000000002';
const C = 'cccccccc-0000-0000-0000-000000000003';

describe('a set of executed transactions', () => {
  it.each([
    ['', ''],
    [`${A}:1`, `${A}:1`],
    [`${A}:1-5`, `${A}:1-5`],
    [`${A.toUpperCase()}:1-5:7`, `${A}:1-5:7`],
    [`${B}:1-2,\n${A}:3`, `${A}:3,${B}:1-2`],
    [`${A}:5:1-4`, `${A}:1-5`],
    [`${A}:1-3:2-8:20`, `${A}:1-8:20`],
    [`${A}:1-3:tag_1:1-5:7`, `${A}:1-3,${A}:tag_1:1-5:7`],
  ])('reads %j as %j', (text, expected) => {
    expect(new GtidSet(text).toString()).toBe(expected);
    expect(new GtidSet(expected).toString()).toBe(expected);
  });

  it.each(['nonsense', `${A}`, '0-1-5', `${A}x:1`])('refuses %j', (text) => {
    expect(() => new GtidSet(text)).toThrow(expect.objectContaining({ code: 'position.invalid' }));
  });

  it('grows by one transaction after the other, of any source and in any order', () => {
    const set = new GtidSet(`${B}:1-10`);
    const story = [
      [B, 11, `${B}:1-11`],
      [B, 12, `${B}:1-12`],
      [A, 1, `${A}:1,${B}:1-12`],
      [A, 2, `${A}:1-2,${B}:1-12`],
      [B, 13, `${A}:1-2,${B}:1-13`],
      [B, 15, `${A}:1-2,${B}:1-13:15`],
      [B, 16, `${A}:1-2,${B}:1-13:15-16`],
      [B, 14, `${A}:1-2,${B}:1-16`],
      [C, 5, `${A}:1-2,${B}:1-16,${C}:5`],
      [C, 3, `${A}:1-2,${B}:1-16,${C}:3:5`],
      [C, 4, `${A}:1-2,${B}:1-16,${C}:3-5`],
      [C, 6, `${A}:1-2,${B}:1-16,${C}:3-6`],
      [C, 6, `${A}:1-2,${B}:1-16,${C}:3-6`],
    ] as const;
    for (const [source, number, expected] of story) {
      set.add(source, number);
      expect(set.toString()).toBe(expected);
    }
  });

  it('holds what was added, whatever came before', () => {
    const transaction = fc.tuple(fc.constantFrom(A, B, C), fc.integer({ min: 1, max: 12 }));
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 40 }), fc.array(fc.nat(1)), (transactions, reads) => {
        const set = new GtidSet();
        for (const [i, [source, number]] of transactions.entries()) {
          set.add(source, number);
          if (reads[i] === 1) set.toString();
        }
        const text = set.toString();
        const held = new Set<string>();
        for (const member of text.split(',').filter((part) => part !== '')) {
          const [source, ...ranges] = member.split(':');
          for (const range of ranges) {
            const [first, last = first] = range.split('-').map(Number);
            for (let n = first!; n <= last!; n++) held.add(`${source}:${n}`);
          }
        }
        expect([...held].sort()).toEqual([...new Set(transactions.map(([source, n]) => `${source}:${n}`))].sort());
        expect(new GtidSet(text).toString()).toBe(text);
      }),
    );
  });
});

describe("MariaDB's position", () => {
  it('holds the last transaction of each domain', () => {
    const position = new DomainPosition('1-7-3,0-1-42');
    expect(position.toString()).toBe('0-1-42,1-7-3');
    position.add(0, '0-1-43');
    position.add(0, '0-2-44');
    expect(position.toString()).toBe('0-2-44,1-7-3');
    position.add(2, '2-1-1');
    expect(position.toString()).toBe('0-2-44,1-7-3,2-1-1');
  });

  it('is told from a set by its look', () => {
    expect(isDomainPosition('0-1-42')).toBe(true);
    expect(isDomainPosition(`${A}:1-5`)).toBe(false);
  });
});

describe('keeping track', () => {
  it('says nothing until the whole past is known', () => {
    const tracker = new GtidTracker(undefined);
    tracker.add({ gtid: `${A}:5` });
    expect(tracker.toString()).toBeUndefined();
    tracker.startFrom(() => new GtidSet(`${A}:1-5`));
    tracker.add({ gtid: `${A}:6` });
    expect(tracker.toString()).toBe(`${A}:1-6`);
    tracker.startFrom(() => new GtidSet());
    expect(tracker.toString()).toBe(`${A}:1-6`);
  });

  it('begins with nothing on either server', () => {
    const mysql = new GtidTracker('');
    expect(mysql.toString()).toBeUndefined();
    mysql.add({ gtid: `${A}:1` });
    expect(mysql.toString()).toBe(`${A}:1`);
    const mariadb = new GtidTracker('');
    mariadb.add({ gtid: '0-1-1', domain: 0 });
    expect(mariadb.toString()).toBe('0-1-1');
  });
});
