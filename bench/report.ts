import { budgets, pipelineFigures, refundFigures } from './budgets.ts'
import type { PipelineResult, RefundPipelineResult } from './budgets.ts'
import { roundTo, spreadLine } from './figures.ts'
import type { MemoryInUse } from './memoryworker.ts'
import type { Comparison } from './rounds.ts'

/** The table for people, then the line for programs. */
export function printReport(measured: PipelineResult): void {
  const { memory, acks, fulfilled, latencies } = measured
  printRounds('acknowledgements/s against bare signals-with-start/s', acks.comparison)
  console.log(`  processor ms each: ${shareLine(acks.intake_ms)}`)
  console.log(`               bare: ${shareLine(acks.bare_ms)}`)
  printRounds('orders/s from paid to fulfilled against bare workflows/s', fulfilled.comparison)
  console.log(`  processor ms each: ${shareLine(fulfilled.order_ms)}`)
  console.log(`               bare: ${shareLine(fulfilled.bare_ms)}`)
  console.log('\nsingle requests')
  console.log(`  acknowledge    ${spreadLine(latencies.ack_ms)}`)
  console.log(`  create         ${spreadLine(latencies.create_ms)}`)
  console.log(`  paid to page   ${spreadLine(latencies.page_ms)}`)
  console.log(`  history events ${Math.min(...latencies.events)} to ${Math.max(...latencies.events)}`)
  printMemory('waiting order ', memory.kb)
  printVerdicts(pipelineFigures(measured))
}

/** The same for refunds. */
export function printRefundReport(measured: RefundPipelineResult): void {
  const { memory, refunded } = measured
  printRounds('refunds/s from accepted to succeeded against bare workflows/s', refunded.comparison)
  console.log(`  processor ms each: ${shareLine(refunded.refund_ms)}`)
  console.log(`               bare: ${shareLine(refunded.bare_ms)}`)
  console.log('')
  console.log(`  history events ${Math.min(...refunded.events)} to ${Math.max(...refunded.events)}`)
  printMemory('waiting refund', memory.kb)
  printVerdicts(refundFigures(measured))
}

function printMemory(what: string, { workflows, main, rss }: MemoryInUse): void {
  console.log(
    `  ${what} ${roundTo(workflows, 1)} KB in the workflow thread, ${roundTo(main, 1)} KB in the SDK’s; the process grows by ${roundTo(rss, 1)} KB`,
  )
}

/** Each figure beside what it has to be, and all of them as one line of JSON. */
export function printVerdicts(values: Record<string, number | number[]>): void {
  console.log('')
  for (const [name, value] of Object.entries(values)) {
    const budget = budgets[name]
    if (budget === undefined || typeof value !== 'number') continue
    const is_kept = budget.at === 'least' ? value >= budget.value : value <= budget.value
    const verdict = is_kept ? 'kept  ' : 'MISSED'
    console.log(
      `${verdict} ${name.padEnd(28)} ${String(value).padStart(8)}  at ${budget.at} ${budget.value}: ${budget.of}`,
    )
  }
  console.log('')
  console.log(JSON.stringify(values))
}

function printRounds(title: string, { rounds, subject, yardstick, ratio }: Comparison): void {
  console.log(`\n${title}`)
  for (const [index, round] of rounds.entries()) {
    const deviation = (round.ratio / ratio - 1) * 100
    const [left, right] = [round.subject, round.yardstick].map((rate) => rate.toFixed(0).padStart(5))
    const off = `${deviation >= 0 ? '+' : ''}${deviation.toFixed(1)} %`
    console.log(`  round ${index + 1}  ${left} : ${right}  = ${round.ratio.toFixed(3)}  ${off.padStart(8)}`)
  }
  console.log(
    `  median   ${subject.toFixed(0).padStart(5)} : ${yardstick.toFixed(0).padStart(5)}  = ${ratio.toFixed(3)}`,
  )
}

function shareLine(list: [string, number][]): string {
  const sum = list.reduce((total, [, ms]) => total + ms, 0)
  return `${roundTo(sum, 1)} = ${list.map(([name, ms]) => `${name} ${roundTo(ms, 1)}`).join(' + ')}`
}
