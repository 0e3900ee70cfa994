import { no_connection } from '../runtime/config.ts'

/** The ports that a run on this machine has taken for what it may start. */
export interface RunPorts {
  api: { port: number }
  simulator: { port: number }
  temporal: { port: number }
  database: { port: number }
}

/** Where a run is, as settings of its processes; what the environment says wins where both can be meant. */
export function runSettings(
  environment: Record<string, string | undefined>,
  { ports, master_key }: { ports: RunPorts; master_key: () => string },
): Record<string, string> {
  return {
    ...(environment.TEMPORAL_ADDRESS
      ? { TEMPORAL_ADDRESS: environment.TEMPORAL_ADDRESS }
      : { ...no_connection, TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal.port}` }),
    MONGODB_URI: environment.MONGODB_URI || `mongodb://127.0.0.1:${ports.database.port}`,
    WEFT_PORT: String(ports.api.port),
    WEFT_PUBLIC_URL: environment.WEFT_PUBLIC_URL || `http://localhost:${ports.api.port}`,
    WEFT_MASTER_KEY: environment.WEFT_MASTER_KEY || master_key(),
    WEFT_TEST_WECHAT_URL: `http://127.0.0.1:${ports.simulator.port}`,
    WEFT_ALLOW_PRIVATE_ENDPOINTS: 'true',
    WEFT_DRAIN_MS: '0', // no balancer stands before it
    WEFT_METRICS_PORT: '', // API and worker are one process here, and one port is not enough for two
  }
}
