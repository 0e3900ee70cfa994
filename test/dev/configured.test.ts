import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer, createServer } from 'node:http2'
import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { startTemporal } from '../../dev/servers/servers.ts'
import { runSettings } from '../../dev/settings.ts'
import { plainTemporal, readConfig } from '../../runtime/config.ts'
import { connectTemporal, registerSearchAttributes, verifySearchAttributes } from '../../runtime/temporal.ts'
import { makeCertificate } from '../../simulator/x509.ts'

const directory = mkdtempSync(join(tmpdir(), 'weft-configured-'))
/** A certificate that nobody but its own key has signed: whoever holds it as a CA trusts it. */
function selfSigned(common_name: string) {
  const { publicKey: public_key, privateKey: private_key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const [subject, day_ms] = [{ common_name, organization: 'Shop' }, 86_400_000]
  const life = { effective_time: Date.now() - day_ms, expire_time: Date.now() + day_ms }
  const { pem: cert } = makeCertificate({ subject, public_key, issuer: subject, private_key, ...life })
  return { cert, key: private_key.export({ type: 'pkcs8', format: 'pem' }).toString() }
}
const [server_pair, client_pair] = [selfSigned('temporal.example'), selfSigned('weft')]
const files = { ca: server_pair.cert, ...client_pair }
for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, `${name}.pem`), text)
const running: (Http2Server | Http2SecureServer)[] = []
afterAll(() => {
  for (const server of running) server.close()
  rmSync(directory, { recursive: true })
})

interface Call {
  path: string
  authorization: string | undefined
  /** of TLS: whether the client showed a certificate of ours */
  is_known: boolean | undefined
}

/** A Temporal that answers every call with an empty message, or with `status`, as gRPC does over HTTP/2. */
async function openTemporal({ tls, status = 0 }: { tls: boolean; status?: number }) {
  const calls: Call[] = []
  const server = tls ? createSecureServer({ ...server_pair, ca: client_pair.cert, requestCert: true }) : createServer()
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const { authorized } = (stream.session?.socket ?? {}) as Partial<TLSSocket>
    calls.push({ path: headers[':path'] ?? '', authorization: headers.authorization, is_known: authorized })
    stream.on('error', () => undefined)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status), 'grpc-message': 'so it is' }))
    stream.end(status === 0 ? Buffer.alloc(5) : undefined)
  })
  running.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { calls, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const ports = { api: { port: 1 }, simulator: { port: 2 }, temporal: { port: 3 }, database: { port: 4 } }
const master_key = () => Buffer.alloc(32, 7).toString('base64')
/** What the roles of `npm start` read where the environment has these settings. */
const settingsWith = (given: Record<string, string>) =>
  readConfig({ ...given, ...runSettings(given, { ports, master_key }) })
const over_tls = {
  TEMPORAL_NAMESPACE: 'shop.a1b2c',
  TEMPORAL_API_KEY: 'cloud-key',
  TEMPORAL_TLS_SERVER_NAME: 'temporal.example',
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(directory, 'ca.pem'),
  TEMPORAL_TLS_CLIENT_CERT_PATH: join(directory, 'cert.pem'),
  TEMPORAL_TLS_CLIENT_KEY_PATH: join(directory, 'key.pem'),
}
const asked = ({ temporal: configured }: ReturnType<typeof readConfig>) =>
  startTemporal({ data_dir: null, search_attributes: {}, configured })

describe('a start with a Temporal of one’s own', () => {
  it('asks it over TLS, with the certificate and the key that the environment names', async () => {
    const { calls, address } = await openTemporal({ tls: true })
    const found = await asked(settingsWith({ ...over_tls, TEMPORAL_ADDRESS: address }))
    expect(found.address).toBe(address)
    expect(calls.length).toBeGreaterThan(0)
    for (const call of calls) expect(call).toMatchObject({ authorization: 'Bearer cloud-key', is_known: true })
  })

  it('speaks plainly where TLS is refused by name, whatever key there is', async () => {
    const { calls, address } = await openTemporal({ tls: false })
    const given = { TEMPORAL_ADDRESS: address, TEMPORAL_API_KEY: 'own-key', TEMPORAL_TLS: 'false' }
    await asked(settingsWith(given))
    expect(calls[0]).toMatchObject({ authorization: 'Bearer own-key', is_known: undefined })
  })

  it('says how it asked and what it was told where the key is refused', async () => {
    const { address } = await openTemporal({ tls: true, status: 7 })
    const start = asked(settingsWith({ ...over_tls, TEMPORAL_ADDRESS: address }))
    await expect(start).rejects.toThrow(
      /did not answer over TLS, asked with an API key: .*PERMISSION_DENIED.*TEMPORAL_API_KEY/,
    )
  })

  it('names the file of a certificate that cannot be read', async () => {
    const given = { TEMPORAL_ADDRESS: '127.0.0.1:9', TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/no/such/ca.pem' }
    await expect(asked(settingsWith(given))).rejects.toMatchObject({ name: 'ConfigError' })
  })

  it('takes nothing of another Temporal for the one that it brings along', () => {
    expect(settingsWith(over_tls).temporal).toEqual(plainTemporal('127.0.0.1:3'))
    expect(settingsWith({ ...over_tls, TEMPORAL_ADDRESS: '' }).temporal).toEqual(plainTemporal('127.0.0.1:3'))
  })
})

describe('a Temporal that lets its clients look at no search attributes', () => {
  it.each([7, 12])('is worked with, since none is known to be missing (gRPC status %i)', async (status) => {
    const { calls, address } = await openTemporal({ tls: false, status })
    const temporal = connectTemporal(plainTemporal(address))
    await expect(verifySearchAttributes(temporal)).resolves.toBeUndefined()
    await expect(registerSearchAttributes(temporal)).resolves.toBeUndefined()
    expect(calls.map(({ path }) => path.split('/').at(-1))).not.toContain('AddSearchAttributes')
    await temporal.close()
  })

  it('says with which commands they are added where it lets them look, but not add', async () => {
    const refused = Object.assign(new Error('7 PERMISSION_DENIED: no'), { code: 7, details: 'no', metadata: {} })
    const connection = {
      withDeadline: (_: unknown, call: () => Promise<unknown>) => call(),
      operatorService: {
        listSearchAttributes: async () => ({ customAttributes: {} }),
        addSearchAttributes: async () => Promise.reject(refused),
      },
    }
    const bare = { connection, namespace: 'shop.a1b2c' } as unknown as Parameters<typeof registerSearchAttributes>[0]
    await expect(registerSearchAttributes(bare)).rejects.toThrow(
      /operator search-attribute create --namespace shop.a1b2c .*tcld namespace search-attributes add --namespace shop.a1b2c/,
    )
  })
})
