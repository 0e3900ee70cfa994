import { freePort } from '../dev/servers/servers.ts'
import type { OpenInstallation } from './bench.ts'
import type { Installation } from './installation.ts'
import { until } from './load.ts'

/** An installation whose WeChat Pay is a simulator in a process of its own. */
export async function openSimulated(
  open: OpenInstallation,
  name: string,
): Promise<{ installation: Installation; simulator_url: string }> {
  const port = await freePort()
  const simulator_url = `http://127.0.0.1:${port}`
  const installation = await open(name, { WEFT_TEST_WECHAT_URL: simulator_url })
  await installation.start({
    name: 'simulator',
    script: 'simulator/main.js',
    environment: { SIMULATOR_PORT: String(port), SIMULATOR_DATA_DIR: 'null', SIMULATOR_PROBE_RATE: '0' },
  })
  await until('the simulator answers', 30_000, async () =>
    fetch(`${simulator_url}/phone`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  return { installation, simulator_url }
}
