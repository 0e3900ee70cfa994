import type { Logger as TemporalLogger } from '@temporalio/common'
import winston from 'winston'
import { beijingTime } from '../domain/calendar.ts'
import type { LogLevel } from './config.ts'
import { maskText, maskValue } from './mask.ts'

/** Data that goes with a message, snake_case: `mchid`, `out_trade_no`, `request_id`, `error`. */
export type LogFields = Record<string, unknown>

/** One JSON line per call, secrets and persons masked (runtime/mask). */
export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  silly(message: string, fields?: LogFields): void
  /** The same logger, with `fields` in every line: a request, an order, a merchant. */
  child(fields: LogFields): Logger
}

export interface LoggerOptions {
  level: LogLevel
  /** the process role: api, worker, dev */
  service: string
  /** where lines go; stdout when not given */
  stream?: NodeJS.WritableStream
}

/** Makes the process's logger. Lines are `{time, level, service, message, …fields}`. */
export function createLogger({ level, service, stream }: LoggerOptions): Logger {
  const transport = stream ? new winston.transports.Stream({ stream }) : new winston.transports.Console()
  const sink = winston.createLogger({
    level,
    levels: winston.config.npm.levels,
    transports: [transport],
    format: winston.format.printf((entry) => JSON.stringify(entry)),
    exitOnError: false,
  })
  return createLoggerOver(sink, { service })
}

function createLoggerOver(sink: winston.Logger, bound: LogFields): Logger {
  const write = (level: LogLevel, message: string, fields?: LogFields) => {
    if (!sink.isLevelEnabled(level)) return
    // One object, built here: winston would glue a `message` field to the message and drop errors in the fields.
    const time = beijingTime(Date.now())
    const data = maskValue({ ...bound, ...fields }) as LogFields
    sink.log({ time, level, message: maskText(message), ...withoutReserved(data, ['time', 'level', 'message']) })
  }
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
    silly: (message, fields) => write('silly', message, fields),
    child: (fields) => createLoggerOver(sink, { ...bound, ...fields }),
  }
}

/** A field named like a part of the line would replace it. */
function withoutReserved(fields: LogFields, names: string[]): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [names.includes(name) ? `_${name}` : name, value]),
  )
}

/** A Logger that writes nothing. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  silly: () => undefined,
  child: () => silentLogger,
}

/** winston's levels for Temporal's; winston has no TRACE and would swallow such a line. */
const levels = { TRACE: 'silly', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const

/** The logger that Temporal's Runtime and clients take. `log` gets the component as a field. */
export function temporalLogger(log: Logger): TemporalLogger {
  const own = log.child({ component: 'temporal' })
  // Symbol keys of Temporal's metadata are its own bookkeeping; Object.entries leaves them out.
  return {
    log: (level, message, meta) => own[levels[level]](message, meta),
    trace: (message, meta) => own.silly(message, meta),
    debug: (message, meta) => own.debug(message, meta),
    info: (message, meta) => own.info(message, meta),
    warn: (message, meta) => own.warn(message, meta),
    error: (message, meta) => own.error(message, meta),
  }
}
