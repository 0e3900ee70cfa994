import type { LookupAddress } from 'node:dns'
import { expect, it } from 'vitest'
import { createNameResolvers, createPublicLookup } from '../../../activities/delivery/lookup.ts'
import type { NameResolvers } from '../../../activities/delivery/lookup.ts'
import { until } from '../../stage/until.ts'

const v4 = (address: string): LookupAddress => ({ address, family: 4 })
const v6 = (address: string): LookupAddress => ({ address, family: 6 })
const none = () => Promise.resolve([])

/** What a connection is told of a name: its addresses, or why there is none. */
function told(resolvers: NameResolvers, name: string, options: { all?: boolean; family?: number } = { all: true }) {
  const find = createPublicLookup(resolvers)
  return new Promise((resolve) => find(name, options, (error, found) => resolve(error?.message ?? found)))
}

it('silent name servers keep one of the two ways by which all names are looked up, and no more', async () => {
  const waiting: string[] = []
  const find = createPublicLookup({
    ask: (name) =>
      name === 'shop.example.cn' ? Promise.resolve([v4('8.8.8.8')]) : Promise.reject(new Error('silent')),
    askSystem: (name) => new Promise(() => waiting.push(name)),
  })
  const answered: string[] = []
  for (let index = 0; index < 100; index += 1)
    find(`tar${index}.example.cn`, { all: true }, () => void answered.push(`tar${index}`))
  await new Promise((resolve) => find('shop.example.cn', { all: true }, resolve))
  await until('more than may wait are told at once', () => answered.length === 100 - 1 - 64)
  expect(waiting).toEqual(['tar0.example.cn'])
})

it('a name that only this machine knows is found by the system’s way', async () => {
  expect(await told({ ask: none, askSystem: () => Promise.resolve([v4('8.8.4.4')]) }, 'shop.example.cn')).toEqual([
    v4('8.8.4.4'),
  ])
})

it.each<[string, LookupAddress[]]>([
  ['one of several', [v4('8.8.8.8'), v4('10.0.0.1')]],
  ['one of another family', [v4('8.8.8.8'), v6('::ffff:127.0.0.1')]],
  ['IPv4 in IPv6', [v6('::7f00:1')]],
  ['the only one', [v4('169.254.169.254')]],
])('no name is called with an address inside: %s', async (_which, found) => {
  expect(await told({ ask: () => Promise.resolve(found), askSystem: none }, 'a.cn')).toBe(
    'the name has no public address',
  )
  expect(await told({ ask: none, askSystem: () => Promise.resolve(found) }, 'a.cn')).toBe(
    'the name has no public address',
  )
})

it('is given as it is asked for: of one family, or the first', async () => {
  const resolvers = { ask: () => Promise.resolve([v4('8.8.8.8'), v6('2400:3200::1')]), askSystem: none }
  expect(await told(resolvers, 'a.cn', { all: true, family: 6 })).toEqual([v6('2400:3200::1')])
  expect(await told(resolvers, 'a.cn', {})).toBe('8.8.8.8')
})

const never = new Promise<never>(() => undefined)
const systemSays = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))
const is_outage = 'names are not resolved just now'

it.each([
  ['that there is no such name', 'ENOTFOUND', 'the name has no public address'],
  ['nothing, since no name server answers', 'EAI_AGAIN', is_outage],
  ['that it cannot ask', 'EMFILE', is_outage],
])('no name is blamed for an outage: where the system says %s', async (_what, code, error) => {
  expect(await told({ ask: none, askSystem: systemSays(code) }, 'a.cn')).toBe(error)
})

it('no name is blamed for those that wait before it', async () => {
  const find = createPublicLookup({ ask: none, askSystem: () => never })
  const answers = Array.from({ length: 66 }, async () => {
    const error = await new Promise<Error | null>((resolve) => find('a.cn', { all: true }, resolve))
    return error?.message
  })
  expect(await Promise.race(answers)).toBe(is_outage)
})

it('several silent name servers are waited for no longer than one, and what answers counts', async () => {
  const silent = createNameResolvers({ resolve4: () => never, resolve6: () => never }, 10)
  expect(await silent.ask('a.cn')).toEqual([])
  const half = createNameResolvers({ resolve4: () => Promise.resolve(['8.8.8.8']), resolve6: () => never }, 10)
  expect(await half.ask('a.cn')).toEqual([v4('8.8.8.8')])
})
