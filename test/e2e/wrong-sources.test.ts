/** Sources that cannot be followed, as each server has them: each is one clear error with its cure, and nothing is made or loaded. */

import { expect, it } from 'vitest';
import { PipelineFolder } from '../support/pipeline-folder.ts';
import { pipelinesOn } from '../support/pipelines-on.ts';
import { describeOnServers } from '../support/servers.ts';

describeOnServers('a source that cannot be followed', (flavor) => {
  const on = pipelinesOn(flavor);
  const { pipeline } = on;

  it('a wrong password is told without it', async () => {
    const { folder: right } = await pipeline();
    const folder = new PipelineFolder(right.path, {
      env: { CDC_SOURCE_PASSWORD: 'hunter2secret' },
      secrets: ['hunter2secret', on.server.cdc.password],
    });
    const { stderr } = await folder.cdc('check');
    expect(stderr).toMatch(
      new RegExp(
        `^cdc: connecting to 127\\.0\\.0\\.1:${on.server.port} as cdc: Access denied for user 'cdc'@'[^']+' \\(using password: YES\\)\n→ check the user name, the password and the host that cdc may connect from\n$`,
      ),
    );
    const says = stderr.trimEnd();
    for (const words of [
      ['init'],
      ['check'],
      ['replicate'],
      ['replicate', '--foreground'],
      ['load', '-e', 'SELECT 1', '--yes'],
    ])
      await folder.fails(words, { code: 1, says });
    const none = new PipelineFolder(folder.path);
    expect((await none.cdc('check')).stderr).toContain('→ no password was given: export CDC_SOURCE_PASSWORD=…');
  });

  it('a server without a binlog is refused with the setting', async () => {
    const { folder } = await pipeline({ init: false });
    await on.server.shutdown();
    await on.server.restart({ extraArgs: ['--skip-log-bin'] });
    try {
      const { code, stdout } = await folder.cdc('check');
      expect(code).toBe(3);
      expect(stdout).toContain(
        'error: the server writes no binlog\n  fix: start it with --log-bin (on RDS: turn automated backups on), then run `cdc check` again',
      );
      const says =
        'cdc: following the source: it cannot be followed as it is set up:\n  the server writes no binlog\n    fix: start it with --log-bin (on RDS: turn automated backups on), then run `cdc check` again\n→ cdc check   # when that is done';
      await folder.fails(['init'], { code: 1, says });
      expect(await folder.cdc('replicate')).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining(says),
      });
    } finally {
      await on.server.shutdown();
      await on.server.restart({ extraArgs: [] });
    }
  });

  it('a binlog of format MIXED is refused before anything is loaded', async () => {
    const { folder } = await pipeline();
    await on.server.query('SET GLOBAL binlog_format = MIXED');
    try {
      const fix =
        flavor === 'mysql'
          ? 'SET PERSIST binlog_format = ROW (on RDS: in the parameter group); then let the applications connect anew, for sessions keep the old format'
          : 'SET GLOBAL binlog_format = ROW, and the same in my.cnf; then let the applications connect anew, for sessions keep the old format';
      const finding = 'binlog_format is MIXED: statements are written instead of rows';
      await folder.fails(['replicate'], {
        code: 1,
        says: `cdc: following the source: it cannot be followed as it is set up:\n  ${finding}\n    fix: ${fix}\n→ cdc check   # when that is done`,
      });
      expect(await folder.cdc('check')).toMatchObject({ code: 3, stdout: `error: ${finding}\n  fix: ${fix}\n` });
    } finally {
      await on.server.query('SET GLOBAL binlog_format = ROW');
    }
    expect(await folder.ok('replicate', '--full-load')).toBe('loaded 1 table\n');
  });

  it('missing grants are listed, each with the GRANT that mends it', async () => {
    await on.server.query("CREATE USER weak@'%' IDENTIFIED BY 'weaksecret'");
    const { folder, schema } = await pipeline({ init: false, user: 'weak', password: 'weaksecret' });
    await on.server.query(`GRANT SELECT ON ${schema}.* TO weak@'%'`);
    const { code, stdout } = await folder.cdc('check');
    const monitor = flavor === 'mariadb' ? 'BINLOG MONITOR' : 'REPLICATION CLIENT';
    expect(code).toBe(3);
    expect(stdout.split('\n').filter((line) => line.startsWith('  fix: GRANT'))).toEqual([
      '  fix: GRANT REPLICATION SLAVE ON *.* TO `weak`@`%`',
      `  fix: GRANT ${monitor} ON *.* TO \`weak\`@\`%\``,
      ...(flavor === 'mysql'
        ? ['  fix: GRANT RELOAD ON *.* TO `weak`@`%`', '  fix: GRANT XA_RECOVER_ADMIN ON *.* TO `weak`@`%`']
        : []),
    ]);
    const result = await folder.cdc('replicate');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('the user lacks REPLICATION SLAVE: the server does not send it the binlog');
    // What it says can be pasted.
    for (const line of stdout.split('\n'))
      if (line.startsWith('  fix: GRANT')) await on.server.query(line.replace('  fix: ', ''));
    expect((await folder.cdc('check')).code).toBe(0);
  });

  it('a table without a key is refused with the warning of the guide, and holds up no other', async () => {
    const { folder, schema } = await pipeline({ init: false });
    await on.server.query(`CREATE TABLE ${schema}.visits (id INT, page VARCHAR(20))`);
    const warning = `${schema}.visits: IT IS VERY IMPORTANT THAT A TABLE HAS A PRIMARY KEY: WITHOUT ONE ONGOING REPLICATION DOES NOT WORK`;
    expect(await folder.ok('init')).toContain(`error: ${warning}\n  fix: add a primary key, or name`);
    expect(await folder.cdc('check')).toMatchObject({ code: 3, stdout: expect.stringContaining(`error: ${warning}`) });
    const result = await folder.cdc('replicate', '--full-load');
    expect(result).toMatchObject({ code: 0, stdout: 'loaded 1 table\n' });
    expect(result.stderr).toContain(`left out ${warning}`);
    expect((await folder.status()).tables.map(({ table }) => table)).toEqual(['orders']);
  });
});
