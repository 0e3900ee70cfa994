import { beijingTime } from '../domain/calendar.ts'
import type { Store } from '../store/store.ts'

/** A call of `npm run merchant` that cannot be carried out. `message` says why, and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

export interface CommandCall {
  store: Store
  /** Unix ms */
  now: number
  mchid: string
  /** what stands behind the merchant number */
  words: readonly string[]
}

/** One command of `npm run merchant -- <command> <mchid> …`. Answers what an operator reads. */
export interface MerchantCommand {
  /** the words behind the merchant number */
  usage: string
  does: string
  run: (call: CommandCall) => Promise<string>
}

const most_changeover_days = 60

/** All that can be done to a merchant's keys and secrets, by the word it is called with. */
export const commands = {
  changeover: {
    usage: '<days>',
    does: 'takes certificates of WeChat Pay’s in beside its public key for so many days; 0 ends it',
    run: async ({ store, now, mchid, words }) => {
      const days = wholeNumber(words[0], 'days', most_changeover_days)
      const end_time = days === 0 ? null : beijingTime(now + days * 86_400_000)
      if (!(await store.merchants.setChangeover(mchid, end_time))) throw noSetup(mchid)
      return end_time === null ? 'the change-over has ended' : `certificates are taken in until ${end_time}`
    },
  },
  'drop-certificate': {
    usage: '<serial>',
    does: 'forgets a certificate of WeChat Pay’s, for ever: nothing signed with it is believed any more',
    run: async ({ store, mchid, words }) => {
      const serial = wordOf(words[0], /^[0-9A-Fa-f]{1,40}$/, 'the serial of a certificate').toUpperCase()
      const dropped = await store.merchants.dropCertificate(mchid, serial)
      if (!dropped && !(await store.merchants.find(mchid))?.wechat) throw noSetup(mchid)
      return `certificate ${serial} is dropped; running processes know within seconds`
    },
  },
} as const satisfies Record<string, MerchantCommand>

export type CommandName = keyof typeof commands

export function isCommand(word: string | undefined): word is CommandName {
  return word !== undefined && Object.hasOwn(commands, word)
}

/** Carries a command out. Throws CommandError, StoreUnavailable. */
export async function runCommand(store: Store, words: readonly string[], now: number): Promise<string> {
  const [name, mchid, ...rest] = words
  if (!isCommand(name)) throw new CommandError(usageText())
  const command: MerchantCommand = commands[name]
  if (mchid === undefined)
    throw new CommandError(`which merchant? npm run merchant -- ${name} <mchid> ${command.usage}`)
  if ((await store.merchants.find(mchid)) === null) throw new CommandError(`there is no merchant ${mchid}`)
  return await command.run({ store, now, mchid, words: rest })
}

/** What can be called, one line each. */
export function usageText(): string {
  const lines = Object.entries<MerchantCommand>(commands).map(
    ([name, { usage, does }]) => `  npm run merchant -- ${name} <mchid> ${usage}\n      ${does}`,
  )
  return ['  npm run merchant -- file.json', '      adds or changes a merchant', ...lines].join('\n')
}

function wordOf(word: string | undefined, pattern: RegExp, what: string): string {
  if (word === undefined || !pattern.test(word)) throw new CommandError(`here belongs ${what}`)
  return word
}

function wholeNumber(word: string | undefined, what: string, most: number): number {
  const number = Number(word)
  if (word === undefined || !Number.isInteger(number) || number < 0 || number > most) {
    throw new CommandError(`here belongs a number of ${what}, from 0 to ${most}`)
  }
  return number
}

function noSetup(mchid: string): CommandError {
  return new CommandError(`merchant ${mchid} has no WeChat Pay set-up`)
}
