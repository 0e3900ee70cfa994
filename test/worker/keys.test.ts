import { expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'
import { StoreUnavailable } from '../../store/connection.ts'
import { refreshKeys } from '../../worker/keys.ts'
import type { KeyRound } from '../../worker/keys.ts'

it('each merchant’s certificates are looked at, also behind one whose set-up cannot be read', async () => {
  const looked: string[] = []
  const account = (mchid: string) => ({
    client: { keyring: { refreshIfStale: () => Promise.resolve(void looked.push(mchid)) } },
  })
  const find = (mchid: string) =>
    mchid === '1900000002' ? Promise.reject(new Error('sealed by another key')) : Promise.resolve(account(mchid))
  const merchants = ['1900000001', '1900000002', '1900000003'].map((mchid) => ({ mchid }))
  const settings = {
    store: { merchants: { list: () => Promise.resolve(merchants) } },
    accounts: { find },
    log: silentLogger,
  } as unknown as KeyRound
  await refreshKeys(settings)
  expect(looked).toEqual(['1900000001', '1900000003'])
})

it('a database that is away is said once, and what is wrong with a merchant each time', async () => {
  const said: unknown[] = []
  const settings = {
    store: { merchants: { list: () => Promise.resolve(['1', '2', '3', '4'].map((mchid) => ({ mchid }))) } },
    accounts: {
      find: (mchid: string) =>
        Promise.reject(mchid < '3' ? new StoreUnavailable(new Error('away')) : new Error('sealed by another key')),
    },
    log: { ...silentLogger, warn: (_message: string, { mchid }: { mchid: string }) => void said.push(mchid) },
  } as unknown as KeyRound
  await refreshKeys(settings)
  expect(said).toEqual(['1', '3', '4'])
})
