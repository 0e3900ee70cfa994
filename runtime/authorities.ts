import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
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
