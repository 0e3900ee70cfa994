import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** `npm run chaos`: minutes of chaos, outside `npm test`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/chaos/*.chaos.ts'],
    pool: 'forks',
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
    globalSetup: ['test/stage/servers.ts'],
    reporters: ['default', './test/stage/reporter.ts'],
  },
})
