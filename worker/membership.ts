import { randomUUID } from 'node:crypto'
import type { MemberRecord } from '../store/members.ts'
import type { Store } from '../store/store.ts'
import { guest_share } from '../wechat/share.ts'
import type { WeChatShare } from '../wechat/share.ts'

/** Never under a second: what a share lets through in the second before it sank must be over when another's grows. */
export const member_every_ms = 2_000
/** Another is dead when it stands still for so many looks, at least 10 s. */
const looks_to_death = 5
/** By its own clock a process stops believing in its share before another can have taken it out. */
const lapse_ms = 7_000

export interface MembershipSettings {
  members: Store['members']
  /** told after each look among how many this process divides; 0: it is a guest */
  counted?: (count: number) => void
  /** ms of a clock that nobody sets: it is compared with itself only */
  now?: () => number
  id?: string
}

export interface Membership {
  /** Writes this process down and reads the others; every `member_every_ms`. Throws StoreUnavailable. */
  look: () => Promise<void>
  /** This process's part now; it reads nothing. */
  share: () => WeChatShare
  leave: () => Promise<void>
}

/**
 * Shares WeChat Pay's limits among the processes of one database. Each says in its record whom it counts. A share sinks
 * at once when another is seen, and grows only when all others were seen to count this one at two looks in a row; so
 * whoever holds a share is counted by all that hold one, and the shares never exceed the whole. No clocks of two hosts
 * are compared.
 */
export function createMembership({
  members,
  counted: tell = () => undefined,
  now = () => performance.now(),
  id = randomUUID(),
}: MembershipSettings): Membership {
  let beat = 0
  let is_in = false
  let present: string[] = [id]
  /** those among whom this process divides; null: it is a guest */
  let used: string[] | null = null
  let agreed = ''
  let beaten_ms = -Infinity
  let standing = new Map<string, { beat: number; looks: number }>()

  async function write(counted: string[]): Promise<void> {
    beat += 1
    if (is_in && (await members.beat({ _id: id, beat, counted }))) return
    is_in = false
    used = null
    agreed = ''
    await members.join({ _id: id, beat, counted })
    is_in = true
  }

  /** Those of `others` that live; the dead are taken out. */
  async function living(others: MemberRecord[]): Promise<MemberRecord[]> {
    const seen = new Map<string, { beat: number; looks: number }>()
    const alive: MemberRecord[] = []
    for (const other of others) {
      const before = standing.get(other._id)
      const looks = before?.beat === other.beat ? before.looks + 1 : 0
      if (looks >= looks_to_death && (await members.takeOut(other))) continue
      seen.set(other._id, { beat: other.beat, looks })
      alive.push(other)
    }
    standing = seen
    return alive
  }

  function share(): WeChatShare {
    if (used === null || now() - beaten_ms > lapse_ms) return guest_share
    return { of: used.length, rank: used.indexOf(id) }
  }

  return {
    async look() {
      const started_ms = now()
      const counted = present
      const is_first = !is_in
      await write(counted)
      beaten_ms = started_ms
      const others = await living((await members.all()).filter(({ _id }) => _id !== id))
      present = [id, ...others.map(({ _id }) => _id)].sort()
      if (used !== null) used = [...new Set([...used, ...present])].sort()
      const is_agreed =
        present.every((each) => counted.includes(each)) && others.every((other) => other.counted.includes(id))
      const words = is_agreed ? counted.join() : ''
      const is_alone = is_first && others.length === 0
      if (is_alone || (is_agreed && words === agreed)) used = counted
      agreed = words
      tell(used?.length ?? 0)
    },
    share,
    async leave() {
      used = null
      await members.leave(id)
    },
  }
}
