import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogue } from '../api/http/catalogue.ts'
import { introduceMerchant, makeMerchant } from '../dev/demo.ts'
import { aptInstall } from '../dev/servers/packages.ts'
import { findCommand, requireCommand } from '../dev/servers/search.ts'
import { findPhp, freePort } from '../dev/servers/servers.ts'
import { beijingTime } from '../domain/calendar.ts'
import { Stage } from './stage/stage.ts'
import { endWithThisProcess } from './stage/guard.ts'
import { until } from './stage/until.ts'

/** Installing a language on a machine that has none takes a while. */
const first_run_ms = 300_000
const example = (name: string) => new URL(`../examples/${name}`, import.meta.url).pathname

interface Merchant {
  url: string
  mchid: string
  key: string
  secret: string
  said: () => string
}

const stage = await Stage.open()
const endings: (() => Promise<void>)[] = []

afterAll(async () => {
  for (const end of endings) await end()
  await stage.close()
})

/** The command of a language: the one that is here, or after installing its package. */
async function language(command: string, debian_package: string): Promise<string> {
  const remedy = `install ${debian_package}`
  if (findCommand(command) === null) await aptInstall([debian_package], remedy, () => undefined)
  return requireCommand(command, remedy)
}

/** A folder of this file's own, gone at the end. */
const folder = mkdtempSync(join(tmpdir(), 'weft-examples-'))
endings.push(() => Promise.resolve(rmSync(folder, { recursive: true, force: true })))

/** The program of the Go example: `go run` would leave it behind when it is ended. */
async function goProgram(): Promise<string> {
  const path = join(folder, 'merchant')
  await promisify(execFile)(await language('go', 'golang-go'), ['build', '-o', path, example('merchant.go')])
  return path
}

/** Opens the example as its first line tells people to, with a merchant of its own behind it. */
async function open(command: string, args: (port: number) => string[], mchid: string): Promise<Merchant> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const { store, config, simulator } = stage
  const merchant = makeMerchant({ mchid, name: command })
  const introduction = { merchant, simulator, store, config, endpoint_url: `${url}/weft` }
  const { webhook_secret } = await introduceMerchant(introduction)
  const wired = { WEFT_URL: config.public_url, WEFT_KEY: merchant.key, WEFT_SECRET: webhook_secret }
  const said = await start(command, args(port), { port, ...wired })
  return { url, mchid, key: merchant.key, secret: webhook_secret, said }
}

/** Starts an example with these settings; once it listens, what it has said so far. */
async function start(
  command: string,
  args: string[],
  { port, ...wired }: Record<'WEFT_URL' | 'WEFT_KEY' | 'WEFT_SECRET', string> & { port: number },
): Promise<() => string> {
  const program = spawn(command, args, {
    env: { PATH: process.env.PATH, PORT: String(port), ...wired },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  endWithThisProcess(program)
  const ended = new Promise<void>((resolve) => program.once('exit', () => resolve()))
  endings.push(async () => {
    program.kill()
    await ended
  })
  let output = ''
  for (const stream of [program.stdout, program.stderr])
    stream.on('data', (bytes: Buffer) => (output += bytes.toString()))
  await until(`${command} listens`, async () => (await fetch(`http://127.0.0.1:${port}`)).status === 404)
  return () => output
}

/** Where Weft is away, the example's page says so and what to do, and shows nothing of its own code. */
async function expectAway(command: string, args: (port: number) => string[]): Promise<void> {
  const port = await freePort()
  const wired = {
    WEFT_URL: `http://127.0.0.1:${await freePort()}`,
    WEFT_KEY: 'weft_test_none',
    WEFT_SECRET: 'whsec_AA==',
  }
  await start(command, args(port), { port, ...wired })
  const answer = await fetch(`http://127.0.0.1:${port}/buy`, { redirect: 'manual' })
  const text = await answer.text()
  expect([answer.status, text]).toEqual([500, expect.stringContaining('Weft does not answer. Try again.') as string])
  expect(text).not.toContain('merchant.')
}

/** Tells the example an event of an order as Weft does; what it answers. */
async function tell({ url, secret }: Merchant, type: string, out_trade_no: string): Promise<unknown> {
  const time = new Date()
  const body = JSON.stringify({ type, data: { order: { out_trade_no } } })
  const headers = {
    'webhook-id': 'evt_told',
    'webhook-timestamp': String(Math.floor(time.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign('evt_told', time, body),
  }
  const answer = await fetch(`${url}/weft`, { method: 'POST', body, headers })
  expect(answer.status).toBe(200)
  return answer.json()
}

/** Buys by the example's page; answers the order's number and where the payer was sent. */
async function buy({ url }: Merchant): Promise<{ out_trade_no: string; location: string }> {
  const answer = await fetch(`${url}/buy`, { redirect: 'manual' })
  expect(answer.status).toBe(303)
  const location = answer.headers.get('location') ?? ''
  const order = await stage.store.orders.findByToken(location.slice(location.lastIndexOf('/') + 1))
  return { out_trade_no: order?.out_trade_no ?? '', location }
}

/** Ends the key of a merchant: from then on Weft refuses whatever it asks. */
async function endKey({ mchid }: Merchant): Promise<void> {
  for (const { id } of await stage.store.keys.list(mchid))
    await stage.store.keys.revoke(mchid, id, beijingTime(Date.now()))
}

/** Once Weft refuses the merchant's key, its page says so, with what to do, and so does its log. */
async function expectRemedy(merchant: Merchant): Promise<void> {
  await endKey(merchant)
  const remedy = catalogue.unauthenticated.remedy.en
  await until('the page says what to do', async () => {
    const answer = await fetch(`${merchant.url}/buy`, { redirect: 'manual' })
    return answer.status === 500 && (await answer.text()).includes(remedy)
  })
  await until('the log says it', () => merchant.said().includes('unauthenticated'))
}

const examples = [
  { name: 'Node', file: 'merchant.mjs', mchid: '1900000101' },
  { name: 'PHP', file: 'merchant.php', mchid: '1900000102' },
]

describe.each(examples)('the merchant in $name', ({ name, file, mchid }) => {
  let merchant: Merchant

  beforeAll(async () => {
    merchant =
      name === 'Node'
        ? await open(process.execPath, () => [example(file)], mchid)
        : await open(await findPhp(), (port) => ['-S', `127.0.0.1:${port}`, example(file)], mchid)
  }, first_run_ms)

  /** What it says of its own comes by another way than what it answers. */
  async function expectShippedOnce(number: string): Promise<void> {
    const ships = () => merchant.said().match(new RegExp(`ship ${number}`, 'g'))
    await until(`${number} is shipped`, () => ships() !== null)
    expect(ships()).toHaveLength(1)
  }

  it('sells: its payer is sent to the checkout page, pays, and the goods are shipped once', async () => {
    const { out_trade_no, location } = await buy(merchant)
    expect((await fetch(location)).status).toBe(200)
    stage.pay({ mchid, out_trade_no })
    const order = await stage.reaches({ mchid, out_trade_no }, 'fulfilled')
    expect(order.amount.total).toBe(990)
    await expectShippedOnce(out_trade_no)
  })

  it('hears that the payer has the money back', async () => {
    const { out_trade_no } = await buy(merchant)
    stage.pay({ mchid, out_trade_no })
    await stage.reaches({ mchid, out_trade_no }, 'fulfilled')
    const headers = { authorization: `Bearer ${merchant.key}`, 'content-type': 'application/json' }
    const refund = { out_refund_no: `${out_trade_no}-R`, out_trade_no, amount: { refund: 990 } }
    const asked = await fetch(`${stage.config.public_url}/v1/refunds`, {
      method: 'POST',
      headers,
      body: JSON.stringify(refund),
    })
    expect(asked.status).toBe(201)
    await until('told', () => merchant.said().includes(`refund.succeeded ${out_trade_no}-R 990`))
  })

  it('says that it has shipped when it is asked to stop, but only where it has', async () => {
    const number = `T-told-${name}-${Date.now()}`
    expect(await tell(merchant, 'order.fulfilment_cancelled', number)).toEqual({})
    expect(merchant.said()).not.toContain(`ship ${number}`)
    for (const type of ['order.paid', 'order.paid', 'order.fulfilment_cancelled']) {
      expect(await tell(merchant, type, number)).toEqual({ fulfilment: 'fulfilled' })
    }
    await expectShippedOnce(number)
  })

  it('reads no event that Weft has not signed', async () => {
    const body = '{"type":"order.paid","data":{"order":{"out_trade_no":"FORGED"}}}'
    const time = Math.floor(Date.now() / 1_000)
    const headers = { 'webhook-id': 'evt_forged', 'webhook-timestamp': String(time) }
    const post = (more: Record<string, string>) =>
      fetch(`${merchant.url}/weft`, { method: 'POST', body, headers: { ...headers, ...more } })
    expect((await post({})).status).toBe(401)
    expect((await post({ 'webhook-signature': `v1,${'A'.repeat(43)}=` })).status).toBe(401)
    expect(merchant.said()).not.toContain('FORGED')
  })

  it.each(['README.md', 'README.zh-CN.md'])('stands in %s byte for byte', (readme) => {
    const code = readFileSync(example(file), 'utf8')
    const text = readFileSync(new URL(`../${readme}`, import.meta.url), 'utf8')
    expect(text).toContain(`\n\`\`\`${name === 'Node' ? 'js' : 'php'}\n${code}\`\`\`\n`)
  })

  it('says what to do where Weft refuses it', async () => await expectRemedy(merchant))

  it('says what to do where Weft is away, however PHP is set up', async () => {
    if (name === 'Node') return await expectAway(process.execPath, () => [example(file)])
    // Without a php.ini, as in PHP's own container image, it shows its warnings to whoever asks.
    await expectAway(await findPhp(), (port) => ['-n', '-S', `127.0.0.1:${port}`, example(file)])
  })
})

describe.each([
  {
    name: 'Python',
    program: () => language('python3', 'python3'),
    args: [example('merchant.py')],
    mchid: '1900000103',
  },
  { name: 'Go', program: goProgram, args: [], mchid: '1900000104' },
  {
    name: 'Java',
    program: () => language('java', 'default-jdk-headless'),
    args: [example('merchant.java')],
    mchid: '1900000105',
  },
])('the merchant in $name', ({ program, args, mchid }) => {
  it(
    'sells, ships once, reads nothing that is forged, and says what to do where Weft refuses it',
    async () => {
      const merchant = await open(await program(), () => args, mchid)
      const { out_trade_no } = await buy(merchant)
      stage.pay({ mchid, out_trade_no })
      await stage.reaches({ mchid, out_trade_no }, 'fulfilled')
      await until('it is shipped', () => merchant.said().includes(`ship ${out_trade_no}`))
      for (const type of ['order.paid', 'order.fulfilment_cancelled'])
        expect(await tell(merchant, type, out_trade_no)).toEqual({ fulfilment: 'fulfilled' })
      expect(await tell(merchant, 'order.fulfilment_cancelled', `${out_trade_no.slice(0, 20)}-`)).toEqual({})
      expect(merchant.said().match(new RegExp(`ship ${out_trade_no}`, 'g'))).toHaveLength(1)
      const forged = { 'webhook-id': 'evt_forged', 'webhook-timestamp': String(Math.floor(Date.now() / 1_000)) }
      expect((await fetch(`${merchant.url}/weft`, { method: 'POST', body: '{}', headers: forged })).status).toBe(401)
      await expectRemedy(merchant)
      await expectAway(await program(), () => args)
    },
    first_run_ms,
  )
})

describe('the order by curl', () => {
  const run = (env: Record<string, string>) => {
    const program = spawn('sh', [example('order.sh')], { env: { PATH: process.env.PATH, ...env } })
    endWithThisProcess(program)
    const said = { out: '', error: '' }
    program.stdout.on('data', (bytes: Buffer) => (said.out += bytes.toString()))
    program.stderr.on('data', (bytes: Buffer) => (said.error += bytes.toString()))
    return { said, code: new Promise<number | null>((resolve) => program.once('close', resolve)) }
  }

  it('shows where to pay and waits until it is paid, and says what to do where Weft refuses it', async () => {
    const { said, code } = run({ WEFT_URL: stage.config.public_url, WEFT_KEY: stage.key })
    const token = await until('there is a page', () => /pay \S+\/pay\/(\S+)\n/.exec(said.out)?.[1])
    const order = await stage.store.orders.findByToken(token)
    if (order === null) throw new Error(`no order of ${token}`)
    stage.pay({ mchid: order.mchid, out_trade_no: order.out_trade_no })
    expect(await code).toBe(0)
    expect(said.out).toMatch(new RegExp(`\n(paid|fulfilled) ${order.out_trade_no}\n$`))
    const refused = run({ WEFT_URL: stage.config.public_url, WEFT_KEY: 'weft_test_nobody' })
    expect(await refused.code).toBe(1)
    expect(refused.said.error).toContain(catalogue.unauthenticated.remedy.en)
  })
})
