/** Runs once before all tests: sees to it that both database servers and their template data directories are there. */
import type { TestProject } from 'vitest/node';
import { messageOf } from '../../src/core/errors.ts';
import type { Progress } from '../../src/core/progress.ts';
import type { ServerFlavor } from '../../src/core/server/server-binary.ts';
import { serverTemplate } from './server-template.ts';

/** The template's folder, or why there is none. */
export type TestServerAvailability = { template: string } | { reason: string };

declare module 'vitest' {
  export interface ProvidedContext {
    testServers: Record<ServerFlavor, TestServerAvailability>;
  }
}

function say(text: string): void {
  process.stderr.write(`[test servers] ${text}\n`);
}

/** Downloads report each percent: a line for each tenth is enough. */
function spokenProgress(): Progress {
  let last = '';
  return {
    update(text) {
      const short = text.replace(/(\d)? ?\d %$/, '$1');
      if (short !== last) say(text);
      last = short;
    },
    done: say,
    warn: say,
    detail() {},
  };
}

export default async function setup(project: TestProject): Promise<void> {
  project.provide('testServers', { mariadb: await prepare('mariadb'), mysql: await prepare('mysql') });
}

async function prepare(flavor: ServerFlavor): Promise<TestServerAvailability> {
  try {
    return { template: await serverTemplate(flavor, spokenProgress()) };
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    say(`tests on ${flavor} are skipped: ${messageOf(error)}`);
    say(`set CDC_TEST_${flavor === 'mysql' ? 'MYSQLD' : 'MARIADBD'}=/path/to/its/server to run them`);
    return { reason: messageOf(error) };
  }
}
