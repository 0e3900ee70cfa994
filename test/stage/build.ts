import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type typescript from 'typescript'
import { inject } from 'vitest'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Where the roles stand as `npm run build` makes them, but for the check of types: compiled, with the workflow code beside
 * the worker. Made once for all processes of a run of the tests, since each role that is started from its sources
 * compiles them and the workflow code again, which is most of what its start costs.
 */
export function builtRoles(): string {
  const bundle = inject('workflow_bundle')
  const home = realpathSync(dirname(bundle)) // each main looks whether it is what Node was told to run
  const built = join(home, 'roles')
  if (existsSync(built)) return built
  const partial = mkdtempSync(join(home, 'partial-'))
  compileInto(partial)
  copyFileSync(bundle, join(partial, 'worker/workflows.bundle.js'))
  copyFileSync(join(repository, 'package.json'), join(partial, 'package.json'))
  for (const name of ['node_modules', 'web']) symlinkSync(join(repository, name), join(partial, name))
  try {
    renameSync(partial, built)
  } catch (error) {
    if (!existsSync(built)) throw error
    rmSync(partial, { recursive: true }) // another process was first
  }
  return built
}

function compileInto(directory: string): void {
  // Only here: to load it takes a second of processor time, and one process of a whole run compiles.
  const ts = createRequire(import.meta.url)('typescript') as typeof typescript
  const { config } = ts.readConfigFile(join(repository, 'tsconfig.build.json'), (path) =>
    readFileSync(path, 'utf8'),
  ) as {
    config: unknown
  }
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, repository)
  for (const fileName of fileNames.filter((name) => !name.endsWith('.d.ts'))) {
    const { outputText } = ts.transpileModule(readFileSync(fileName, 'utf8'), {
      compilerOptions: { ...options, module: ts.ModuleKind.ESNext, sourceMap: false },
      fileName,
    })
    const file = join(directory, relative(repository, fileName).replace(/\.ts$/, '.js'))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, outputText)
  }
}
