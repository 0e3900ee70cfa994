import { ThreadedVMWorkflowCreator } from '@temporalio/worker/lib/workflow/threaded-vm.js'

type Creator = Awaited<ReturnType<typeof ThreadedVMWorkflowCreator.create>>

/**
 * Lets all workers of this process that run the same workflow code share one thread for it. The SDK starts one for each
 * worker, which loads the SDK and the code anew and compiles them anew: half the processor time of opening a stage.
 * What keeps the runs of two stages apart is what keeps those of one apart, and production's code is run as there.
 */
export function shareWorkflowThread(): void {
  const create = ThreadedVMWorkflowCreator.create.bind(ThreadedVMWorkflowCreator)
  const shared = new Map<string, Promise<Creator>>()
  ThreadedVMWorkflowCreator.create = async (options) => {
    const key = [options.workflowBundle.code, ...options.registeredActivityNames].join('\n')
    const creator = shared.get(key) ?? create(options).then(keptToTheEnd)
    shared.set(key, creator)
    return await creator
  }
}

/** A worker that closes has disposed its runs, and ends its thread: this one stays, and ends with the process. */
function keptToTheEnd(creator: Creator): Creator {
  return Object.assign(creator, { destroy: () => Promise.resolve() })
}
