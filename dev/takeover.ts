/**
 * `npm run shop -- <url>` lets a developer's own endpoint decide about the demo's orders in place of the tea shop, and
 * `npm run shop -- back` lets the tea shop decide again. It speaks to the running demo as any shop would.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { asksForHelp } from '../runtime/help.ts'

const usage = `npm run shop -- <url>    your endpoint decides about the demo's orders, and its secret is shown
npm run shop -- back     the tea shop decides again
A running npm start is needed: its address and key are read from .weft/demo.env.`

/** Where the demo is, and its key. */
interface Demo {
  weft_url: string
  key: string
  shop_url: string
}

interface Listed {
  id: string
  url: string
  role: string
}

/** Throws with a remedy where no demo runs here. */
function runningDemo(): Demo {
  const path = new URL('../.weft/demo.env', import.meta.url)
  try {
    const text = readFileSync(path, 'utf8')
    const valueOf = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? ''
    return { weft_url: valueOf('WEFT_URL'), key: valueOf('WEFT_KEY'), shop_url: valueOf('WEFT_SHOP_URL') }
  } catch {
    throw new Error('no demo runs here; begin with npm start')
  }
}

async function call<T>({ weft_url, key }: Demo, method: string, path: string, body?: object): Promise<T> {
  const headers = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) }
  const answer = await fetch(`${weft_url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  const text = await answer.text()
  const parsed = (text === '' ? {} : JSON.parse(text)) as T & { detail?: string; remedy?: string }
  if (!answer.ok) throw new Error(`Weft says: ${parsed.detail} ${parsed.remedy}`)
  return parsed
}

/** Lets the endpoint at `url` decide, made anew so that its secret can be shown; answers the secret. */
export async function takeOver(demo: Demo, url: string): Promise<string> {
  await giveBack(demo)
  const { data } = await call<{ data: Listed[] }>(demo, 'GET', '/v1/endpoints')
  const earlier = data.find((one) => one.url === new URL(url).href)
  if (earlier !== undefined) await call(demo, 'DELETE', `/v1/endpoints/${earlier.id}`)
  const made = await call<{ id: string; secret: string }>(demo, 'POST', '/v1/endpoints', { url })
  await call(demo, 'POST', `/v1/endpoints/${made.id}/fulfilment`)
  return made.secret
}

/** Lets the tea shop decide. */
export async function giveBack(demo: Demo): Promise<void> {
  const { data } = await call<{ data: Listed[] }>(demo, 'GET', '/v1/endpoints')
  // By its port: its page and its endpoint are at different names of the same machine.
  const shop = data.find(({ url }) => new URL(url).port === new URL(demo.shop_url).port)
  if (shop === undefined) throw new Error('the tea shop has no endpoint; npm start makes it again')
  await call(demo, 'POST', `/v1/endpoints/${shop.id}/fulfilment`)
}

async function main(words: readonly string[]): Promise<string> {
  const [word] = words
  if (word === undefined || asksForHelp(words)) return usage
  if (word === 'back') {
    await giveBack(runningDemo())
    return 'the tea shop decides again'
  }
  return `your endpoint decides; verify what it is sent with\nWEFT_SECRET=${await takeOver(runningDemo(), word)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).then(
    (said) => console.log(said),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : String(error))
      process.exitCode = 1
    },
  )
}
