import { describe, expect, it } from 'vitest'
import type { PlatformKey } from '../../wechat/credentials.ts'
import { createKeyring } from '../../wechat/keyring.ts'
import type { DownloadOutcome, KeyringSettings } from '../../wechat/keyring.ts'
import { createCertificateTrust } from '../../wechat/trust.ts'
import { TestAuthority } from './authority.ts'
import { publicKey } from './vectors.ts'

const day = 24 * 60 * 60 * 1000
const start = Date.parse('2026-01-01T00:00:00Z')

const certificate = (
  serial: string,
  effective_time = start - day,
  expire_time = start + 5 * 365 * day,
): PlatformKey => {
  return { kind: 'certificate', serial, key: publicKey('go-sdk'), certificate: '', effective_time, expire_time }
}
const publicKeyOf = (serial: string): PlatformKey => {
  const key = publicKey('java-sdk-wechatpay')
  return { kind: 'public_key', serial, key, certificate: null, effective_time: null, expire_time: null }
}

/** A key ring whose downloads are counted and answered by the test. */
function ring(keys: PlatformKey[], listed: () => PlatformKey[] = () => [], settings: Partial<KeyringSettings> = {}) {
  const clock = { ms: start, downloads: 0 }
  const download = async () => {
    clock.downloads += 1
    return listed()
  }
  return { clock, keyring: createKeyring({ keys, download, now: () => clock.ms, ...settings }) }
}
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a key ring', () => {
  it('holds public keys and certificates side by side and finds each by its serial', () => {
    const { keyring } = ring([publicKeyOf('PUB_KEY_ID_1'), certificate('ABCD')])
    expect(keyring.find('PUB_KEY_ID_1')?.equals(publicKey('java-sdk-wechatpay'))).toBe(true)
    expect(keyring.find('abcd')?.equals(publicKey('go-sdk'))).toBe(true)
    expect(keyring.find('PUB_KEY_ID_2')).toBeNull()
    expect(keyring.publicKeyId()).toBe('PUB_KEY_ID_1')
  })

  it('encrypts with the public key, else with the certificate in force that took effect last', () => {
    const coming = certificate('COMING', start + day)
    const old = certificate('OLD', start - 100 * day)
    const ended = certificate('ENDED', start - day, start - 1)
    expect(ring([old, certificate('NEW', start - 2 * day), coming, ended]).keyring.newest()?.serial).toBe('NEW')
    expect(ring([old, publicKeyOf('PUB_KEY_ID_1')]).keyring.newest()?.serial).toBe('PUB_KEY_ID_1')
    expect(ring([coming]).keyring.newest()).toBeNull()
  })

  it('goes by the mode that holds: a public key that was replaced only verifies for a while', () => {
    const retired = { ...publicKeyOf('PUB_KEY_ID_1'), expire_time: start + 14 * day }
    const { keyring } = ring([retired, certificate('ABCD')])
    expect([keyring.publicKeyId(), keyring.newest()?.serial]).toEqual([null, 'ABCD'])
    expect(keyring.find('PUB_KEY_ID_1')).not.toBeNull()
  })

  it('fetches what is old also where nothing is said', async () => {
    const { keyring, clock } = ring([certificate('ABCD')], () => [certificate('ABCD'), certificate('EF01')])
    await keyring.refreshIfStale()
    await keyring.refreshIfStale()
    expect(clock.downloads).toBe(1)
    clock.ms += 7 * 60 * 60 * 1000
    await keyring.refreshIfStale()
    expect(clock.downloads).toBe(2)
    const with_public_key = ring([publicKeyOf('PUB_KEY_ID_1')])
    await with_public_key.keyring.refreshIfStale()
    expect(with_public_key.clock.downloads).toBe(0)
  })

  it('reads what was signed in time with a certificate that has ended since', () => {
    const { keyring } = ring([certificate('ENDED', start - 100 * day, start - 10 * day)])
    expect(keyring.find('ENDED')).toBeNull()
    expect(keyring.find('ENDED', start - 20 * day)).not.toBeNull()
    const dropped = ring([certificate('ENDED', start - 100 * day, start - 10 * day)], undefined, { dropped: ['ENDED'] })
    expect(dropped.keyring.find('ENDED', start - 20 * day)).toBeNull()
  })

  it('takes new configured keys at once and keeps what it downloaded', async () => {
    const { keyring } = ring([publicKeyOf('PUB_KEY_ID_1')], () => [certificate('ABCD')], {
      changeover_end: start + day,
    })
    await keyring.refresh()
    keyring.replace({ keys: [publicKeyOf('PUB_KEY_ID_2')], changeover_end: start + day })
    expect(keyring.find('PUB_KEY_ID_1')).toBeNull()
    expect(keyring.find('PUB_KEY_ID_2')).not.toBeNull()
    expect(keyring.find('ABCD')).not.toBeNull()
  })

  it('is empty in certificate mode until the first download', async () => {
    const { keyring } = ring([], () => [certificate('ABCD')])
    expect(keyring.isEmpty()).toBe(true)
    await expect(keyring.refresh()).resolves.toBe(true)
    expect(keyring.isEmpty()).toBe(false)
    expect(keyring.publicKeyId()).toBeNull()
  })
})

describe('an unknown serial', () => {
  it('starts one download for many messages, and not another one within seconds', async () => {
    const { keyring, clock } = ring([certificate('ABCD')], () => [certificate('ABCD'), certificate('EF01')])
    await expect(
      Promise.all([keyring.fetchMissing('ef01'), keyring.fetchMissing('EF01'), keyring.fetchMissing('FFFF')]),
    ).resolves.toEqual([true, true, false])
    expect(clock.downloads).toBe(1)
    expect(keyring.find('EF01')).not.toBeNull()
    clock.ms += 9_999
    await keyring.fetchMissing('FFFF')
    expect(clock.downloads).toBe(1)
    clock.ms += 1
    await keyring.fetchMissing('FFFF')
    expect(clock.downloads).toBe(2)
  })

  it('is worth no download when it is a public key’s, which no list brings', async () => {
    const { keyring, clock } = ring([publicKeyOf('PUB_KEY_ID_1')])
    await expect(keyring.fetchMissing('PUB_KEY_ID_2')).resolves.toBe(false)
    expect(clock.downloads).toBe(0)
  })

  it('is a certificate’s while a declared change-over to a public key lasts, and is fetched; not before or after', async () => {
    const own = publicKeyOf('PUB_KEY_ID_1')
    const { keyring, clock } = ring([own], () => [certificate(`ABC${clock.downloads}`)])
    await expect(keyring.fetchMissing('ABC1')).resolves.toBe(false)
    expect(clock.downloads).toBe(0)
    keyring.replace({ keys: [own], changeover_end: start + day })
    await expect(keyring.fetchMissing('ABC1')).resolves.toBe(true)
    clock.ms += day
    await expect(keyring.fetchMissing('ABC2')).resolves.toBe(false)
    expect(clock.downloads).toBe(1)
    expect(keyring.find('ABC1')).not.toBeNull()
  })

  it('does no harm when the download fails, and is tried again', async () => {
    let healthy = false
    const outcomes: string[] = []
    const { keyring, clock } = ring(
      [],
      () => {
        if (!healthy) throw new Error('away')
        return [certificate('ABCD')]
      },
      { on_refresh: (outcome) => outcomes.push('error' in outcome ? 'error' : 'certificates') },
    )
    await expect(keyring.fetchMissing('ABCD')).resolves.toBe(false)
    healthy = true
    clock.ms += 10_000
    await expect(keyring.fetchMissing('ABCD')).resolves.toBe(true)
    expect(outcomes).toEqual(['error', 'certificates'])
  })

  it('is waited for no longer than the caller says, while the download goes on', async () => {
    let finish = (_keys: PlatformKey[]) => undefined as void
    const download = () => new Promise<PlatformKey[]>((resolve) => (finish = resolve))
    const keyring = createKeyring({ keys: [], download, now: () => start })
    await expect(keyring.fetchMissing('ABCD', AbortSignal.timeout(5))).resolves.toBe(false)
    const joined = keyring.refresh()
    finish([certificate('ABCD')])
    await expect(joined).resolves.toBe(true)
    expect(keyring.find('ABCD')).not.toBeNull()
  })
})

describe('certificates', () => {
  it('are fetched again in the background once they are six hours old', async () => {
    const { keyring, clock } = ring([], () => [certificate('ABCD')])
    await keyring.refresh()
    clock.ms += 6 * 60 * 60 * 1000 - 1
    keyring.find('ABCD')
    await settled()
    expect(clock.downloads).toBe(1)
    clock.ms += 1
    expect(keyring.find('ABCD')).not.toBeNull()
    await settled()
    expect(clock.downloads).toBe(2)
  })

  it('are never fetched for a look-up in public-key mode', async () => {
    const { keyring, clock } = ring([publicKeyOf('PUB_KEY_ID_1')])
    clock.ms += 100 * day
    keyring.find('PUB_KEY_ID_1')
    await settled()
    expect(clock.downloads).toBe(0)
  })

  it('that ended over a year ago are forgotten, so that the ring stays small', async () => {
    const { keyring, clock } = ring([], () => (clock.ms === start ? [certificate('OLD', 0, start + day)] : []))
    await keyring.refresh()
    expect(keyring.find('OLD')).not.toBeNull()
    clock.ms += 2 * 365 * day
    await keyring.refresh()
    expect(keyring.find('OLD')).toBeNull()
  })

  it('verify nothing any more a day after they have ended', () => {
    const { keyring, clock } = ring([certificate('ABCD', start - day, start + day)])
    expect(keyring.find('ABCD')).not.toBeNull()
    clock.ms = start + 2 * day - 1
    expect(keyring.find('ABCD')).not.toBeNull()
    clock.ms += 1
    expect(keyring.find('ABCD')).toBeNull()
    expect(keyring.isEmpty()).toBe(true)
  })

  it('that a person has dropped are gone, and no download brings them back', async () => {
    const { keyring, clock } = ring([certificate('OWN')], () => [certificate('ABCD')])
    await keyring.refresh()
    expect(keyring.find('ABCD')).not.toBeNull()
    keyring.replace({ keys: [certificate('OWN')], dropped: ['ABCD'] })
    expect(keyring.find('ABCD')).toBeNull()
    clock.ms += 10_000
    await expect(keyring.fetchMissing('ABCD')).resolves.toBe(false)
    expect(keyring.find('OWN')).not.toBeNull()
  })

  it('of another CA than WeChat Pay’s are not taken in, and are named with the reason', async () => {
    const wechat = new TestAuthority(start)
    const genuine = wechat.issue()
    const foreign = new TestAuthority(start).issue()
    const outcomes: DownloadOutcome[] = []
    const { keyring } = ring([], () => [genuine, foreign], {
      trust: createCertificateTrust([wechat.pem]),
      on_refresh: (outcome) => outcomes.push(outcome),
    })
    await keyring.refresh()
    expect(keyring.keys()).toEqual([genuine])
    expect(outcomes).toEqual([
      { certificates: [genuine], refused: [{ certificate: foreign, refusal: 'unknown_issuer' }] },
    ])
  })

  it('with another key under a serial that is known are not taken in, whichever comes later', async () => {
    const first = certificate('0ABCD')
    const forged = { ...certificate('ABCD'), key: publicKey('java-sdk-wechatpay') }
    const outcomes: DownloadOutcome[] = []
    const lists = [[first, forged], [forged]]
    const on_refresh = (outcome: DownloadOutcome) => void outcomes.push(outcome)
    const { keyring, clock } = ring([], () => lists.shift() ?? [first], { on_refresh })
    for (let list = 0; list < 3; list += 1, clock.ms += 10_000) {
      await keyring.refresh()
      expect(keyring.find('ABCD')).toBe(first.key)
    }
    const refused = [{ certificate: forged, refusal: 'serial_taken' }]
    expect(outcomes).toEqual([
      { certificates: [first], refused },
      { certificates: [], refused },
      { certificates: [first], refused: [] },
    ])
  })
})
