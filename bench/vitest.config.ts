import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['bench/**/*.bench.ts'], maxWorkers: 1, testTimeout: 3_600_000, hookTimeout: 600_000 },
});
