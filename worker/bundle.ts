import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode } from '@temporalio/worker'
import type { WorkerOptions } from '@temporalio/worker'

type Bundle = NonNullable<WorkerOptions['workflowBundle']>

/** Where `npm run build` leaves the bundle, beside the compiled worker. */
const prebuilt_bundle = fileURLToPath(new URL('./workflows.bundle.js', import.meta.url))

/**
 * The workflow code as Temporal's sandbox runs it: the prebuilt file where there is one, else built now (about 1.5 s).
 * Must be made by exactly the SDK version that runs it.
 */
export async function workflowBundle(): Promise<Bundle> {
  return existsSync(prebuilt_bundle) ? { codePath: prebuilt_bundle } : await buildBundle()
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const pathOf = (module: string) => fileURLToPath(new URL(`../workflows/${module}.${extension}`, import.meta.url))

/**
 * Bundles Weft's workflows, or those of another file under the same conditions. Modules hold no state (the lint sees to
 * it), so all runs share one copy of them: 40 KB less for every waiting order, and a third less processor time for
 * every new run (docs/performance.md).
 */
export async function buildBundle(workflowsPath = pathOf('all')): Promise<{ code: string }> {
  const preloadModules = [pathOf('frames'), workflowsPath]
  const payloadConverterPath = pathOf('payload')
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    preloadModules,
    payloadConverterPath,
    logger: quiet_logger,
  })
  return { code }
}

/** webpack tells a page about each module; only what is wrong is worth reading. */
const quiet_logger = {
  log: () => undefined,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: (message: string) => process.stderr.write(`${message}\n`),
  error: (message: string) => process.stderr.write(`${message}\n`),
}
