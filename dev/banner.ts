/** A part of the embedded run that is up: what it is, and how long it took. */
export interface ReadyPart {
  version: string
  how: string
  took_ms: number
}

interface BannerFacts {
  release: string
  temporal: ReadyPart
  database: ReadyPart
  /** api and worker, together */
  roles_took_ms: number
  urls: {
    shop: string
    phone: string
    /** null: a configured Temporal, whose web UI is not known here */
    temporal_ui: string | null
    docs: string
  }
}

/** What `npm start` ends with (docs/architecture.md, The embedded run). */
export function banner({ release, temporal, database, roles_took_ms, urls }: BannerFacts): string {
  return [
    `Weft ${release}   WeChat Pay orders that cannot get lost`,
    '',
    partLine('Temporal', temporal),
    partLine('MongoDB', database),
    '  WeChat Pay  simulator ready        no real money moves',
    `  api, worker         ${readyTime(roles_took_ms)}`,
    '',
    linkLine('Buy', urls.shop, 'a tea shop; the QR opens the phone'),
    linkLine('Phone', urls.phone, 'pay, cancel, or make WeChat misbehave'),
    linkLine('Temporal', urls.temporal_ui ?? '(your own)', 'one workflow per order'),
    linkLine('API', urls.docs, 'key weft_test_… (in .weft/demo.env)'),
    '',
    '  Try: pay with "lose the notification", then watch the order turn paid all the same.',
    '  Data in .weft/ · Ctrl-C stops everything · npm start -- --fresh begins again',
  ].join('\n')
}

function partLine(name: string, { version, how, took_ms }: ReadyPart): string {
  return `  ${name.padEnd(12)}${version.padEnd(8)}${readyTime(took_ms)}   ${how}`
}

function linkLine(name: string, url: string, what: string): string {
  return `  ${name.padEnd(9)}${url.padEnd(33)}${what}`
}

/** Twelve characters up to 999 s, so that the columns hold. */
function readyTime(took_ms: number): string {
  const seconds = took_ms / 1_000
  return `ready ${(seconds < 100 ? seconds.toFixed(1) : seconds.toFixed(0)).padStart(4)} s`
}
