const read_interval_ms = 200

/**
 * Reads every 200 ms until `isAnswer` says so, or `limit_ms` have passed; then what was read last, at first `latest`.
 * Every wait but that for a command's own reply is done so: a run takes ten updates at once, the database thousands of
 * reads.
 */
export async function readUntil<T>(
  read: () => Promise<T>,
  latest: T,
  limit_ms: number,
  isAnswer: (latest: T) => boolean,
): Promise<T> {
  const deadline_ms = Date.now() + limit_ms // waiting happens on the wall's clock, whatever time `now` tells
  while (!isAnswer(latest) && Date.now() < deadline_ms) {
    await new Promise((resolve) => setTimeout(resolve, read_interval_ms))
    latest = await read()
  }
  return latest
}
