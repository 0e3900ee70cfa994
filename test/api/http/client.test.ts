import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { clientAddress, requestClient } from '../../../api/http/client.ts'
import { isPublicAddress, readNetworks } from '../../../runtime/address.ts'

const payer = '203.0.114.7'
const trusted = readNetworks(['10.0.0.0/8', '192.0.2.7', 'fd00::/8'])
const asked = (peer: string | undefined, x_forwarded_for?: string, forwarded?: string) =>
  clientAddress({ peer, x_forwarded_for, forwarded }, trusted)

describe('the address that a request comes from', () => {
  const rows: [
    what: string,
    found: string | null,
    peer: string | undefined,
    xff?: string | undefined,
    forwarded?: string,
  ][] = [
    ['the other end, where nothing is forwarded', payer, payer],
    ['the other end as IPv4, where Node has it mapped into IPv6', payer, `::ffff:${payer}`],
    ['the other end, whatever it claims, where it is no proxy of ours', payer, payer, '1.2.3.4', 'for=1.2.3.4'],
    ['what our proxy says', payer, '10.1.2.3', payer],
    ['what our proxy says by RFC 7239', payer, '10.1.2.3', undefined, `for=${payer};proto=https;by=10.1.2.3`],
    ['not what the payer has written before that', payer, '10.1.2.3', `1.2.3.4, ${payer}`],
    ['nor by RFC 7239', payer, '10.1.2.3', undefined, `for=1.2.3.4, for=${payer}`],
    ['not one of ours that the payer has written', payer, '10.1.2.3', `10.9.9.9, ${payer}`],
    ['behind two proxies of ours', payer, '10.1.2.3', `1.2.3.4, ${payer}, 192.0.2.7`],
    ['not beyond a proxy of others', '198.51.101.1', '10.1.2.3', `${payer}, 198.51.101.1`],
    ['the same by both headers', payer, '10.1.2.3', payer, `for="${payer}:4711"`],
    ['not known where the headers disagree: one of them is the payer’s', null, '10.1.2.3', payer, 'for=1.2.3.4'],
    ['with a port', payer, '10.1.2.3', `${payer}:4711`],
    ['IPv6', '2408:8000::1', 'fd00::1', '2408:8000:0::1'],
    ['IPv6 in brackets with a port', '2408:8000::1', '10.1.2.3', undefined, 'For="[2408:8000::1]:4711"'],
    ['IPv6 in brackets without a port', '2408:8000::1', '10.1.2.3', '[2408:8000::1]'],
    ['IPv6 without the zone that its proxy saw it in', '2408:8000::1', 'fd00::1%eth0', '2408:8000::1%eth1'],
    ['not what stands in brackets within something else', null, '10.1.2.3', `x[${payer}]`],
    ['not what stands in brackets before something else', null, '10.1.2.3', `[${payer}]x`],
    ['behind as many proxies as there may be', payer, '10.1.2.3', `${payer}${', 10.1.1.1'.repeat(15)}`],
    ['not known behind one more', null, '10.1.2.3', `${payer}${', 10.1.1.1'.repeat(16)}`],
    ['not known where our proxy hides it', null, '10.1.2.3', undefined, 'for=_hidden'],
    ['not known where our proxy does not know it', null, '10.1.2.3', 'unknown'],
    ['not known where a part names nobody', null, '10.1.2.3', undefined, 'proto=https'],
    ['our own, where a proxy of ours asks by itself', '10.1.2.3', '10.1.2.3'],
    ['our own, where all on the way are ours', '10.5.5.5', '10.1.2.3', '10.5.5.5, 10.4.4.4'],
    ['not a number that is read as an address elsewhere', null, '10.1.2.3', '3232235777'],
    ['not known of a connection that is gone', null, undefined, payer],
    ['not known at the end of a list longer than any way', null, '10.1.2.3', `${payer}${', 10.1.1.1'.repeat(20)}`],
  ]
  it.each(rows)('%s', (_what, found, peer, xff, forwarded) => {
    expect(asked(peer, xff, forwarded)).toBe(found)
  })

  it('is told apart from a private one, which WeChat Pay does not take', () => {
    expect([payer, '10.5.5.5', '127.0.0.1', '::1', '100.64.0.1'].map(isPublicAddress)).toEqual([
      true,
      false,
      false,
      false,
      false,
    ])
  })

  it('is read from a request, of which a header may have come twice', async () => {
    const local = readNetworks(['127.0.0.0/8'])
    const server = createServer((request, response) => response.end(requestClient(request, local)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const headers = [['x-forwarded-for', '1.2.3.4'] as const, ['x-forwarded-for', payer] as const]
    const answered = async (given: [string, string][]) => await (await fetch(url, { headers: given })).text()
    expect(await answered(headers.map(([name, text]): [string, string] => [name, text]))).toBe(payer)
    expect(await answered([['forwarded', `for=${payer}`]])).toBe(payer)
    server.close()
  })
})

describe('the networks of trusted proxies', () => {
  it('are addresses and CIDR ranges of both families, and one never matches the other', () => {
    const networks = readNetworks(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'])
    const inside = ['10.255.0.1', '192.0.2.7', '2001:db8::5', '::1', '::ffff:10.0.0.1']
    const outside = ['11.0.0.1', '192.0.2.8', '2001:db9::5', '::2', '127.0.0.1']
    expect(inside.filter((address) => !networks.includes(address))).toEqual([])
    expect(outside.filter((address) => networks.includes(address))).toEqual([])
    expect(readNetworks([]).includes('10.0.0.1')).toBe(false)
  })

  it('may be of IPv4 as it is mapped into IPv6, which is how some machines see it', () => {
    const networks = readNetworks(['::ffff:10.0.0.0/104', '::ffff:192.0.2.7'])
    const among = ['10.255.0.1', '::ffff:10.0.0.1', '192.0.2.7', '11.0.0.1', '::1'].filter((one) => networks.includes(one))
    expect(among).toEqual(['10.255.0.1', '::ffff:10.0.0.1', '192.0.2.7'])
  })

  it.each(['10/8', '10.0.0.0/33', 'proxy.example.cn', '', '10.0.0.256', '0x0a.0.0.1'])('are not "%s"', (name) => {
    expect(() => readNetworks([name])).toThrow(RangeError)
  })
})
