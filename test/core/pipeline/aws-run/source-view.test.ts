import { expect, test } from 'vitest';
import { binlogFileOf } from '../../../../src/core/pipeline/aws-run/source-view.ts';

test('the binlog file of a position, and of a checkpoint of DMS', () => {
  expect(binlogFileOf('mysql-bin-changelog.000024:373')).toBe('mysql-bin-changelog.000024');
  expect(
    binlogFileOf(
      'checkpoint:V1#27#mysql-bin-changelog.157832:1975:-1:2002:677883278264080:mysql-bin-changelog.157832:1876#0#0#*#0#93',
    ),
  ).toBe('mysql-bin-changelog.157832');
  expect(binlogFileOf('checkpoint:V9#something else')).toBeUndefined();
});
