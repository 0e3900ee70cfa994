/** Origins, `https://host[:port]`. Without a backup the one host gets all the time there is. */
export interface Hosts {
  main: string
  backup: string | null
}

/** WeChat Pay's own: the nearest access point, and one in another region (docs/wechat-pay.md §1.1). */
export const wechatHosts: Hosts = { main: 'https://api.mch.weixin.qq.com', backup: 'https://api2.mch.weixin.qq.com' }

/** Which host is asked first. Traffic never stays with the backup: the main host is tried again every half minute. */
export interface HostPreference {
  order(): [first: string, second: string | null]
  noteFailure(host: string): void
  noteAnswer(host: string, status: number): void
}

const failuresUntilAvoided = 2
const avoidance_ms = 30_000

/** Chooses the host of one merchant's calls by the recent failures of the main host. */
export function createHostPreference(hosts: Hosts): HostPreference {
  let failures = 0
  let avoidUntil = 0
  const failed = (host: string) => {
    if (host !== hosts.main) return
    failures += 1
    if (failures >= failuresUntilAvoided) avoidUntil = performance.now() + avoidance_ms
  }
  return {
    order() {
      const { main, backup } = hosts
      if (backup === null || backup === main) return [main, null]
      return performance.now() < avoidUntil ? [backup, main] : [main, backup]
    },
    noteFailure: failed,
    noteAnswer(host, status) {
      // A gateway in front of WeChat Pay says so when the access point behind it is away; 500 is the service itself.
      if (status === 502 || status === 503 || status === 504) return failed(host)
      if (host === hosts.main) {
        failures = 0
        avoidUntil = 0
      }
    },
  }
}

/**
 * The origin and the path of a URL that an answer names: the origin as it is configured, the path with its query to the
 * byte, since it is signed so. Null: of another host, or no URL that could be sent as it is.
 */
export function splitUrl(url: string, { main, backup }: Hosts): { origin: string; path: string } | null {
  const [, origin, path] = /^(https?:\/\/[^/?#@\\]+)(\/[!"$-[\]^-~]*)$/i.exec(url) ?? []
  if (origin === undefined || path === undefined || !URL.canParse(origin)) return null
  const known = [main, backup].find((host) => host !== null && new URL(host).origin === new URL(origin).origin)
  return known ? { origin: known, path } : null
}
