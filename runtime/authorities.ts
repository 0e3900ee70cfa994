import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { milliseconds } from '../domain/calendar.ts'
import { ConfigError } from './config.ts'
import type { Config } from './config.ts'

/** The certificates, as PEM, that may issue platform certificates to merchants of each mode; null: nobody named a file. */
export type Authorities = Record<'live' | 'test', string[] | null>

/** Reads the CA files that the settings name. Throws ConfigError for one that cannot be used. */
export function readAuthorities(config: Pick<Config, 'wechat_ca_path' | 'test_wechat_ca_path'>): Authorities {
  return {
    live: certificatesIn('WEFT_WECHAT_CA_PATH', config.wechat_ca_path),
    test: certificatesIn('WEFT_TEST_WECHAT_CA_PATH', config.test_wechat_ca_path),
  }
}

function certificatesIn(setting: string, path: string | null): string[] | null {
  if (path === null) return null
  try {
    const found = readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
    if (found === null) throw new RangeError('it holds no certificate')
    return found.map((pem) => new X509Certificate(pem).toString())
  } catch (error) {
    throw new ConfigError(
      `${setting} is no file of certificates in PEM (${(error as Error).message}); name one, or leave it unset`,
    )
  }
}

/** A merchant as far as it says whose signatures it believes. */
interface TrustingMerchant {
  mchid: string
  mode: 'live' | 'test'
  wechat: { public_key_id: string | null; changeover_end_time?: string | null } | null
}

/**
 * Says which live merchants take platform certificates in though nobody has named WeChat Pay's CA; null where none
 * does. `now` in Unix ms. Who reads it can do what Weft cannot: compare the CA with the original.
 */
export function authorityWarning(
  { wechat_ca_path }: Pick<Config, 'wechat_ca_path'>,
  merchants: readonly TrustingMerchant[],
  now: number,
): string | null {
  if (wechat_ca_path !== null) return null
  const trusting = merchants.filter(({ mode, wechat }) => mode === 'live' && wechat !== null && takesIn(wechat, now))
  if (trusting.length === 0) return null
  const named = trusting.slice(0, 10).map(({ mchid }) => mchid)
  const more = trusting.length - named.length
  return (
    `WEFT_WECHAT_CA_PATH is not set: platform certificates of ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''} ` +
    'are held against dates and the certificates before them, but not against WeChat Pay’s CA, which Weft does not ' +
    'bring along; take its certificates from WeChat Pay, name the file, or use its public key instead'
  )
}

function takesIn(
  { public_key_id, changeover_end_time }: NonNullable<TrustingMerchant['wechat']>,
  now: number,
): boolean {
  return public_key_id === null || (changeover_end_time ? now < milliseconds(changeover_end_time) : false)
}
