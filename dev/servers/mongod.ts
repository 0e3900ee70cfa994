import { chmodSync, copyFileSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { placeInCache, seen_sums } from './cache.ts'
import { startChild } from './child.ts'
import type { Child } from './child.ts'
import { fetchFromSite } from './download.ts'
import { assertDownload } from './pins.ts'
import { untilListening, untilPortsFree } from './port.ts'
import type { HeldPort } from './port.ts'
import { withProgress } from './search.ts'
import type { Progress } from './search.ts'

/** A database that was started from here, before it is known how its program was come by. */
export interface RunningDatabase {
  stop(): Promise<void>
  kill(): void
  freeze(is_frozen: boolean): void
  restart(): Promise<void>
}

/** Starts a `mongod` over `data_dir` on this port of 127.0.0.1. */
export async function startMongod(program: string, data_dir: string, held: HeldPort): Promise<RunningDatabase> {
  const { port } = held
  const data = join(data_dir, 'mongodb')
  mkdirSync(data, { recursive: true })
  const args = ['--dbpath', data, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--quiet']
  const files = { log: join(data_dir, 'mongod.log'), pid_file: join(data_dir, 'mongod.pid') }
  const start = async (): Promise<Child> => {
    await untilPortsFree([held])
    const child = await startChild({ command: program, args, stop_signal: 'TERM', grace_s: 15, ...files })
    await untilListening(child, port)
    return child
  }
  let child = await start()
  return {
    stop: () => child.stop(),
    kill: () => child.kill(),
    freeze: (is_frozen) => child.freeze(is_frozen),
    restart: async () => {
      await child.stop()
      child = await start()
    },
  }
}

/**
 * Downloads `mongod` into the cache with mongodb-memory-server, whose settings (MONGOMS_DOWNLOAD_MIRROR,
 * MONGOMS_VERSION and the like) are honoured. Its own patience with a silent site is long, so the address it is going
 * to use is asked first.
 */
export async function downloadMongod(progress: Progress): Promise<string> {
  const { DryMongoBinary, MongoBinary } = await import('mongodb-memory-server-core')
  const { MongoBinaryDownloadUrl } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js')
  const options = await DryMongoBinary.generateOptions({})
  const url = await new MongoBinaryDownloadUrl(options).getDownloadUrl()
  await fetchFromSite(url, 'HEAD')
  const fill = async (into: string): Promise<void> => {
    const downloadDir = options.downloadDir === '' ? into : options.downloadDir
    const downloaded = await MongoBinary.download({ ...options, downloadDir, checkMD5: true })
    copyFileSync(downloaded, join(into, 'mongod'))
    // The library deletes the archive, so what is kept is the sum of the program in it.
    assertDownload(join(into, 'mongod'), `mongod of ${basename(new URL(url).pathname)}`, seen_sums)
    chmodSync(join(into, 'mongod'), 0o755)
  }
  const line = 'MongoDB: downloading, about 1 min, first start only'
  const directory = await withProgress(progress, line, () => placeInCache('mongodb', fill))
  return join(directory, 'mongod')
}
