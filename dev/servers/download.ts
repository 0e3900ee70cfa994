import { chmodSync, copyFileSync, createWriteStream, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EnvHttpProxyAgent, fetch } from 'undici'
import type { Response } from 'undici'
import { z } from 'zod'
import { cacheLog, seen_sums } from './cache.ts'
import { runToEnd } from './child.ts'
import { assertDownload } from './pins.ts'
import { NotFoundHere, withProgress } from './search.ts'
import type { Progress } from './search.ts'

/** A site that has not begun to answer by then is given up for the package registries. */
const give_up_ms = 4_000
/** A download that stands still this long is given up too. */
const stalled_ms = 20_000

/**
 * Asks a site, and gives it up within seconds where it cannot be reached. Follows the proxy settings of the machine.
 */
export async function fetchFromSite(url: string, method: 'GET' | 'HEAD' = 'GET'): Promise<Response> {
  const given_up = new AbortController()
  const timer = setTimeout(() => given_up.abort(), give_up_ms)
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: give_up_ms }, bodyTimeout: stalled_ms })
  const site = new URL(url).host
  const response = await fetch(url, { method, dispatcher, signal: given_up.signal })
    .catch(() => {
      throw new NotFoundHere(`${site} does not answer here`)
    })
    .finally(() => clearTimeout(timer))
  if (!response.ok) throw new NotFoundHere(`${site} answered ${response.status}`)
  return response
}

const downloadInfo = z.object({ archiveUrl: z.url(), fileToExtract: z.string().min(1) })

/**
 * Downloads one of Temporal's programs the way the SDK's ephemeral servers do (sdk-core, `ephemeral_server`): the site
 * says where the archive for this platform is and which file of it is the program. Fills `directory` with `program`;
 * `line` is shown once the site has answered.
 */
export async function downloadFromTemporal(
  artifact: { name: 'cli' | 'temporal-test-server'; version: string; program: string },
  directory: string,
  progress: Progress,
  line: string,
): Promise<void> {
  const url = new URL(`https://temporal.download/${artifact.name}/${artifact.version}`)
  url.searchParams.set('arch', process.arch === 'x64' ? 'amd64' : process.arch)
  url.searchParams.set('platform', process.platform)
  url.searchParams.set('format', 'tar.gz')
  url.searchParams.set('sdk-name', 'sdk-typescript')
  url.searchParams.set('sdk-version', '1.24.0')
  const info = downloadInfo.parse(await (await fetchFromSite(url.href)).json())
  await withProgress(progress, line, () => downloadArchive(info.archiveUrl, directory))
  const program = join(directory, artifact.program)
  if (join(directory, info.fileToExtract) !== program) copyFileSync(join(directory, info.fileToExtract), program)
  chmodSync(program, 0o755)
}

/** Downloads a .tar.gz archive and unpacks it into a directory, once it is the one that was chosen (pins.ts). */
async function downloadArchive(url: string, directory: string): Promise<void> {
  const response = await fetchFromSite(url)
  if (response.body === null) throw new NotFoundHere(`${new URL(url).host} sent nothing`)
  const archive = join(directory, 'archive.tar.gz')
  await pipeline(Readable.fromWeb(response.body), createWriteStream(archive))
  assertDownload(archive, basename(new URL(url).pathname), seen_sums)
  await runToEnd('tar', ['-xzf', archive, '-C', directory], { log: cacheLog(`unpack-${basename(directory)}`) })
  rmSync(archive)
}
