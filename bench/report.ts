import { rounded, spread } from './figures.ts'
import { budgets, figures, refundFigures } from './budgets.ts'
import type { Measured, MeasuredRefunds } from './budgets.ts'
import type { MemoryInUse } from './memoryworker.ts'
import type { Comparison } from './rounds.ts'

/** The table for people, then the line for programs. */
export function report(measured: Measured): void {
  const { memory, acks, fulfilled, latencies } = measured
  rounds('acknowledgements/s against bare signals-with-start/s', acks.comparison)
  console.log(`  processor ms each: ${shares(acks.intake_ms)}`)
  console.log(`               bare: ${shares(acks.bare_ms)}`)
  rounds('orders/s from paid to fulfilled against bare workflows/s', fulfilled.comparison)
  console.log(`  processor ms each: ${shares(fulfilled.order_ms)}`)
  console.log(`               bare: ${shares(fulfilled.bare_ms)}`)
  console.log('\nsingle requests')
  console.log(`  acknowledge    ${spread(latencies.ack_ms)}`)
  console.log(`  create         ${spread(latencies.create_ms)}`)
  console.log(`  paid to page   ${spread(latencies.page_ms)}`)
  console.log(`  history events ${Math.min(...latencies.events)} to ${Math.max(...latencies.events)}`)
  holds('waiting order ', memory.kb)
  verdicts(figures(measured))
}

/** The same for refunds. */
export function reportRefunds(measured: MeasuredRefunds): void {
  const { memory, refunded } = measured
  rounds('refunds/s from accepted to succeeded against bare workflows/s', refunded.comparison)
  console.log(`  processor ms each: ${shares(refunded.refund_ms)}`)
  console.log(`               bare: ${shares(refunded.bare_ms)}`)
  console.log('')
  console.log(`  history events ${Math.min(...refunded.events)} to ${Math.max(...refunded.events)}`)
  holds('waiting refund', memory.kb)
  verdicts(refundFigures(measured))
}

function holds(what: string, { workflows, main, rss }: MemoryInUse): void {
  console.log(
    `  ${what} ${rounded(workflows, 1)} KB in the workflow thread, ${rounded(main, 1)} KB in the SDK’s; the process grows by ${rounded(rss, 1)} KB`,
  )
}

/** Each figure beside what it has to be, and all of them as one line of JSON. */
function verdicts(values: Record<string, number>): void {
  console.log('')
  for (const [name, value] of Object.entries(values)) {
    const budget = budgets[name]
    if (budget === undefined) continue
    const is_kept = budget.at === 'least' ? value >= budget.value : value <= budget.value
    const verdict = is_kept ? 'kept  ' : 'MISSED'
    console.log(
      `${verdict} ${name.padEnd(28)} ${String(value).padStart(8)}  at ${budget.at} ${budget.value}: ${budget.of}`,
    )
  }
  console.log('')
  console.log(JSON.stringify(values))
}

function rounds(title: string, { rounds, subject, yardstick, ratio }: Comparison): void {
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

function shares(list: [string, number][]): string {
  const sum = list.reduce((total, [, ms]) => total + ms, 0)
  return `${rounded(sum, 1)} = ${list.map(([name, ms]) => `${name} ${rounded(ms, 1)}`).join(' + ')}`
}
