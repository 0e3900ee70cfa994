import { pipeline } from './pipeline.ts'

/** `npm run bench -- pipeline [small]` */
const [what, size = 'full'] = process.argv.slice(2)

if (what === 'pipeline' && (size === 'full' || size === 'small')) {
  pipeline(size).catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
} else {
  console.error('which bench? npm run bench -- pipeline        (add “small” to see only that it works)')
  process.exitCode = 1
}
