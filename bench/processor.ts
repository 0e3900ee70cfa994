import { readdirSync, readFileSync } from 'node:fs'

/** Milliseconds of processor time by program. */
export type ProcessorTime = Map<string, number>

interface ProcessUsage {
  pid: number
  parent: number
  program: string
  ms: number
}

/** Linux counts processor time in hundredths of a second. */
const tick_ms = 10

/**
 * What this process and all below it have used so far. `names` tells our own processes apart, which all are `node`.
 * Empty where there is no /proc.
 */
export function processorTime(names: ReadonlyMap<number, string>): ProcessorTime {
  const all = readProcesses()
  const below = new Set([process.pid])
  // Parents come before their children only mostly: walk until nobody is added.
  for (let size = 0; size < below.size;) {
    size = below.size
    for (const { pid, parent } of all) if (below.has(parent)) below.add(pid)
  }
  const used: ProcessorTime = new Map()
  for (const { pid, program, ms } of all) {
    if (!below.has(pid)) continue
    const name = pid === process.pid ? 'bench' : (names.get(pid) ?? program)
    used.set(name, (used.get(name) ?? 0) + ms)
  }
  return used
}

/** What was used between two readings, for `count` operations: milliseconds each, the largest first. */
export function perOperation(before: ProcessorTime, after: ProcessorTime, count: number): [string, number][] {
  return [...after]
    .map(([name, ms]): [string, number] => [name, (ms - (before.get(name) ?? 0)) / count])
    .filter(([, ms]) => ms >= 0.05)
    .toSorted(([, left], [, right]) => right - left)
}

function readProcesses(): ProcessUsage[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readProcess(Number(name)))
  } catch {
    return []
  }
}

function readProcess(pid: number): ProcessUsage[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in parentheses and may hold anything; the numbers begin behind the last one.
    const end = stat.lastIndexOf(')')
    const fields = stat.slice(end + 2).split(' ')
    const program = stat.slice(stat.indexOf('(') + 1, end)
    return [{ pid, parent: Number(fields[1]), program, ms: (Number(fields[11]) + Number(fields[12])) * tick_ms }]
  } catch {
    return [] // it ended meanwhile
  }
}
