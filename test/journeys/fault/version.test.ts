import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../../domain/ids.ts'
import { expectFulfilledOnce } from '../../stage/audit.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

describe('a new version of the worker, set as current while the one before still runs', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30, worker: false, settings: { fulfilment: { mode: 'event' } } })
  })
  afterAll(async () => await stage.close())

  /** Starts a worker that is this version, and sets it as current once Temporal has heard of its queues. */
  async function deploy(build_id: string): Promise<void> {
    const deployment = { name: `weft-${stage.mchid}`, build_id }
    const { worker: before } = stage
    await stage.startWorker({ config: { ...stage.config, deployment } })
    if (before !== null) stage.endsWith(() => before.close())
    const { workflowService, options } = stage.temporal.client
    const version = { namespace: options.namespace, deploymentName: deployment.name, buildId: build_id }
    await until(`version ${build_id} is current`, () => workflowService.setWorkerDeploymentCurrentVersion(version))
  }

  async function versionOf(order: OrderKey): Promise<string | null | undefined> {
    const { raw } = await stage.run(order).describe()
    return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId
  }

  it('ends the order that the first has begun', async () => {
    await deploy('first')
    const order = await stage.ordered()
    expect(await versionOf(order)).toBe('first')
    await deploy('second')
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    await stage.rests(order)
    expect(await versionOf(order)).toBe('second')
    await expectFulfilledOnce(stage, order)
  })
})
