/** The second half of `npm run build`: what the compiled roles load beside their code. */
import { cpSync, writeFileSync } from 'node:fs'
import { buildBundle } from '../worker/bundle.ts'

const dist = new URL('../dist/', import.meta.url)

const { code } = await buildBundle()
writeFileSync(new URL('worker/workflows.bundle.js', dist), code)
cpSync(new URL('../web/', import.meta.url), new URL('web/', dist), { recursive: true })
console.log('dist/ is ready: node dist/api/main.js, node dist/worker/main.js')
