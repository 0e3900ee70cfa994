import { ConfigError } from './config.ts'
import type { Config } from './config.ts'

/** A process that handles merchants' money, or their keys. The audit only reads records and needs no key. */
export type MoneyRole = 'api' | 'worker' | 'merchant'

export type FitnessConfig = Pick<Config, 'public_url' | 'time_scale' | 'allow_private_endpoints' | 'master_keys'>

/** What the keys that `npm start` makes begin with, so that one is known wherever it turns up. */
export const demo_key_prefix = Buffer.from('weft demo ')

interface LiveRule {
  roles: readonly MoneyRole[]
  isBroken: (config: FitnessConfig) => boolean
  remedy: string
}

/** What a process must not be set to while it handles real money, and what to do. */
const live_rules: readonly LiveRule[] = [
  {
    roles: ['api', 'worker', 'merchant'],
    isBroken: ({ time_scale }) => time_scale !== 1,
    remedy: 'WEFT_TIME_SCALE is set: real orders would expire too early; leave it unset',
  },
  {
    roles: ['api', 'worker', 'merchant'],
    isBroken: ({ allow_private_endpoints }) => allow_private_endpoints,
    remedy:
      'WEFT_ALLOW_PRIVATE_ENDPOINTS is set: events could be sent to your own network, in the clear; leave it unset',
  },
  {
    // The worker tells nobody an address of Weft's.
    roles: ['api', 'merchant'],
    isBroken: ({ public_url }) => !public_url.startsWith('https://'),
    remedy: 'WEFT_PUBLIC_URL is no https address: WeChat Pay notifies no other, and payers should see none; set it',
  },
  {
    roles: ['api', 'worker', 'merchant'],
    isBroken: ({ master_keys }) => master_keys.some(({ key }) => isKnownKey(Buffer.from(key, 'base64'))),
    remedy:
      'WEFT_MASTER_KEY has a key of a demo, or one that is no secret; make one with `openssl rand -base64 32`, put it in front, run `npm run merchant -- reseal`, and take the other out',
  },
]

/** Why this process must not handle real money, one line each; empty when it may. */
export function liveMistakes(config: FitnessConfig, role: MoneyRole): string[] {
  return live_rules
    .filter(({ roles, isBroken }) => roles.includes(role) && isBroken(config))
    .map(({ remedy }) => remedy)
}

export interface FitnessCheck {
  config: FitnessConfig
  role: MoneyRole
  /** all there are, those about to be added included */
  merchants: readonly { mode: string }[]
  /** opens one sealed value of each merchant; throws when the master keys are not those that sealed */
  openSealed: () => void
}

/**
 * Throws ConfigError where a development setting meets live money, or the master key is not the one that sealed what is
 * kept. Every main calls it once the store can be read: a process with another key would seal what nobody else opens.
 */
export function assertFitForLive({ config, role, merchants, openSealed }: FitnessCheck): void {
  const mistakes = merchants.some(({ mode }) => mode === 'live') ? liveMistakes(config, role) : []
  if (mistakes.length > 0) throw new ConfigError(['a live merchant exists:', ...mistakes].join('\n'))
  try {
    openSealed()
  } catch (error) {
    throw new ConfigError(
      `WEFT_MASTER_KEY does not open what is sealed in this database (${(error as Error).message}); set the key, or keys, that the other processes have, or name another WEFT_DATABASE`,
    )
  }
}

/** Bytes that are all the same, all zero above all, or begin as a demo's key does. */
function isKnownKey(key: Buffer): boolean {
  return key.every((byte) => byte === key[0]) || key.subarray(0, demo_key_prefix.length).equals(demo_key_prefix)
}
