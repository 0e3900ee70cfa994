import { readFileSync } from 'node:fs'
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
} from '@temporalio/client'
import type { ConnectionOptions, WorkflowStartOptions } from '@temporalio/client'
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common'
import { queueName, search_attributes, shown_memo } from '../domain/messages.ts'
import type { ShownTo, WorkflowStart } from '../domain/messages.ts'
import { ConfigError } from './config.ts'
import type { TemporalConfig } from './config.ts'

/** A client and the connection under it, which `boundedCall` and `close` need. */
export interface TemporalClient {
  client: Client
  connection: Connection
  namespace: string
  close(): Promise<void>
}

/** What a log line about a Temporal that is away says of where it was looked for; the SDK's own errors do not. */
export function temporalSetting({ address }: TemporalConfig): { setting: string; address: string } {
  return { setting: 'TEMPORAL_ADDRESS', address }
}

/**
 * What a connection needs, in the words that the client's Connection and the worker's NativeConnection share. Reads
 * certificate files: throws ConfigError naming the one that cannot be read.
 */
export function connectionOptions(
  config: TemporalConfig,
): Pick<ConnectionOptions, 'address' | 'tls'> & { apiKey?: string } {
  return {
    address: config.address,
    ...(config.api_key === null ? {} : { apiKey: config.api_key }),
    // Said in so many words: where nothing is said, the SDK speaks TLS as soon as there is a key.
    tls: config.tls === null ? false : tlsOptions(config.tls),
  }
}

function tlsOptions(tls: NonNullable<TemporalConfig['tls']>): NonNullable<ConnectionOptions['tls']> {
  return {
    ...(tls.server_name === null ? {} : { serverNameOverride: tls.server_name }),
    ...(tls.ca_path === null
      ? {}
      : { serverRootCACertificate: readSettingFile('TEMPORAL_TLS_SERVER_CA_CERT_PATH', tls.ca_path) }),
    ...(tls.cert_path === null || tls.key_path === null
      ? {}
      : {
          clientCertPair: {
            crt: readSettingFile('TEMPORAL_TLS_CLIENT_CERT_PATH', tls.cert_path),
            key: readSettingFile('TEMPORAL_TLS_CLIENT_KEY_PATH', tls.key_path),
          },
        }),
  }
}

function readSettingFile(setting: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new ConfigError(`${setting} names a file that cannot be read (${(error as Error).message}); correct the path`)
  }
}

/**
 * A connection for commands. Lazy: the API boots while Temporal is away, and each call says so by itself. `attempts` is
 * how often a failed call is made in all (the SDK's own default, 10, takes 20 s to admit that nobody is there).
 */
export function connectTemporal(config: TemporalConfig, { attempts = 4 }: { attempts?: number } = {}): TemporalClient {
  const retries = createRetries(attempts)
  const connection = Connection.lazy({
    ...connectionOptions(config),
    channelArgs: reconnection,
    interceptors: [makeGrpcRetryInterceptor(retries.options)],
  })
  const client = new Client({ connection, namespace: config.namespace })
  const close = async () => {
    await retries.end()
    await connection.close()
  }
  return { client, connection, namespace: config.namespace, close }
}

/**
 * The SDK repeats a failed call by a timer that nobody can take back, and on a connection that was closed meanwhile it
 * throws where nobody catches: the process would end. So a closing connection plans no more, and waits for what is due.
 */
function createRetries(attempts: number) {
  const usual = defaultGrpcRetryOptions({ maxAttempts: attempts })
  const state = { is_closed: false, due_ms: 0 }
  const options: typeof usual = {
    ...usual,
    retryableDecider: (attempt, status) => !state.is_closed && usual.retryableDecider(attempt, status),
    delayFunction: (attempt, status) => {
      const delay_ms = usual.delayFunction(attempt, status)
      state.due_ms = Math.max(state.due_ms, performance.now() + delay_ms)
      return delay_ms
    },
  }
  const end = async () => {
    state.is_closed = true
    const left_ms = state.due_ms - performance.now()
    if (left_ms > 0) await new Promise((resolve) => setTimeout(resolve, left_ms + 5))
  }
  return { options, end }
}

/**
 * When a client's connection is tried again while its server is away. gRPC's own pause grows to two minutes, in which
 * every call is refused though the server is long back; these, with their jitter of a fifth, stay below five seconds.
 */
const reconnection = { 'grpc.initial_reconnect_backoff_ms': 500, 'grpc.max_reconnect_backoff_ms': 3_000 } as const

/** The intake's own connection: it has 1.5 s in all, so a call is made twice at most. */
export function connectForIntake(config: TemporalConfig): TemporalClient {
  return connectTemporal(config, { attempts: 2 })
}

/** Temporal did not answer in the time given. What was asked for may have happened. */
export class TemporalTimeout extends Error {
  override readonly name = 'TemporalTimeout'
}

/**
 * Runs `call` with a deadline that holds: gRPC's own overshoots by a back-off, and a silent server would be waited for
 * without end. Rejects with TemporalTimeout after `limit_ms`, or with the call's own failure.
 */
export async function boundedCall<T>(connection: Connection, limit_ms: number, call: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TemporalTimeout(`no answer within ${limit_ms} ms`)), limit_ms)
  })
  const answer = connection.withDeadline(Date.now() + limit_ms, call)
  return Promise.race([answer, limit]).finally(() => clearTimeout(timer))
}

/** One behind Temporal's usual 3, of 5: a merchant with many observers, or a day's bill, holds up no order's step. */
const patient_priority = 4

/** Turns a WorkflowStart into the client's options, so that every caller starts alike; without `shown` in English. */
export function startOptions<Arguments extends unknown[]>(
  start: WorkflowStart<Arguments>,
  queue_prefix: string,
  shown?: ShownTo,
): WorkflowStartOptions & { args: Arguments; workflowIdConflictPolicy: 'USE_EXISTING' } {
  const attributes = start.attributes.map(({ key, value }) => ({
    key: defineSearchAttributeKey(key.name, key.type),
    value,
  }))
  return {
    workflowId: start.workflow_id,
    taskQueue: queueName(start.queue, queue_prefix),
    args: start.arguments,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    typedSearchAttributes: new TypedSearchAttributes(attributes),
    staticSummary: start.summary[shown?.language ?? 'en'],
    staticDetails: start.details[shown?.language ?? 'en'],
    ...(shown && { memo: { [shown_memo]: shown } }),
    // All of a run's tasks have it. Servers that know no priorities serve all alike.
    ...(start.is_patient && { priority: { priorityKey: patient_priority } }),
  }
}

/** INDEXED_VALUE_TYPE_KEYWORD of Temporal's API: the client package does not export the enumeration. */
const KEYWORD = 2

/** gRPC's own numbers: the client package does not export the enumeration. */
const refusals: readonly unknown[] = [7, 12] // PERMISSION_DENIED, UNIMPLEMENTED

/**
 * True for what the operator service of Temporal refuses: Temporal Cloud, and servers where each key has a role, let the
 * namespace's owner alone ask for its attributes or add some.
 */
function isRefusal(error: unknown): boolean {
  return isGrpcServiceError(error) && refusals.includes(error.code)
}

/**
 * The search attributes of domain/messages that the namespace does not have as keywords; null where the server does not
 * tell this client.
 */
export async function missingSearchAttributes(
  { connection, namespace }: TemporalClient,
  limit_ms = 10_000,
): Promise<string[] | null> {
  const asked = boundedCall(connection, limit_ms, () => connection.operatorService.listSearchAttributes({ namespace }))
  const answer = await asked.catch((error: unknown) => {
    if (isRefusal(error)) return null
    throw error
  })
  if (answer === null) return null
  const { customAttributes } = answer
  const names = Object.values(search_attributes).map(({ name }) => name)
  return names.filter((name) => Number(customAttributes[name]) !== KEYWORD)
}

/**
 * Throws ConfigError with the command that adds what is missing: an unregistered attribute would fail every start of a
 * workflow, so a process that cannot start any had better not start itself. Where the server does not tell, none is
 * known to be missing.
 */
export async function verifySearchAttributes(temporal_client: TemporalClient, limit_ms?: number): Promise<void> {
  const missing = (await missingSearchAttributes(temporal_client, limit_ms)) ?? []
  if (missing.length > 0) throw attributesMissing(temporal_client.namespace, missing)
}

function attributesMissing(namespace: string, missing: readonly string[]): ConfigError {
  const names = missing.map((name) => `--name ${name} --type Keyword`).join(' ')
  const in_cloud = missing.map((name) => `--search-attribute "${name}=Keyword"`).join(' ')
  return new ConfigError(
    `Temporal's namespace ${namespace} lacks the search attributes ${missing.join(', ')}; add them with: ` +
      `temporal operator search-attribute create --namespace ${namespace} ${names} ` +
      `(in Temporal Cloud: tcld namespace search-attributes add --namespace ${namespace} ${in_cloud})`,
  )
}

/**
 * Adds what is missing: for development servers, where nobody minds. Repeatable. Throws ConfigError with the command
 * where this client may not add any.
 */
export async function registerSearchAttributes(temporal_client: TemporalClient): Promise<void> {
  const { connection, namespace } = temporal_client
  const missing = (await missingSearchAttributes(temporal_client)) ?? []
  if (missing.length === 0) return
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]))
  await boundedCall(connection, 10_000, () =>
    connection.operatorService.addSearchAttributes({ namespace, searchAttributes }),
  ).catch((error: unknown) => {
    throw isRefusal(error) ? attributesMissing(namespace, missing) : error
  })
}
