import { roundTo } from './figures.ts'
import { measureNeighbours } from './neighbours.ts'
import { measurePipeline } from './pipeline.ts'
import { measureReconcile } from './reconcile.ts'
import { measureRecovery } from './recovery.ts'
import { measureRefundPipeline } from './refundpipeline.ts'
import { printVerdicts } from './report.ts'

type BenchSize = 'full' | 'small'

const benches = {
  pipeline: measurePipeline,
  refunds: measureRefundPipeline,
  recovery: measureRecovery,
  reconcile: measureReconcile,
  /** the last part of `reconcile` alone */
  neighbours: async (size: BenchSize) =>
    printVerdicts({ orders_p95_ratio: roundTo(await measureNeighbours(size, (line) => console.log(line)), 2) }),
}

/** `npm run bench -- pipeline|refunds|recovery|reconcile|neighbours [small]` */
const [what = '', size = 'full'] = process.argv.slice(2)

if (Object.hasOwn(benches, what) && (size === 'full' || size === 'small')) {
  benches[what as keyof typeof benches](size).catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
} else {
  const names = Object.keys(benches).join('|')
  console.error(`which bench? npm run bench -- ${names}        (add “small” to see only that it works)`)
  process.exitCode = 1
}
