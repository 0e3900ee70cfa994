import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

/** MemberRecord is one process that calls WeChat Pay, as it last wrote itself down. */
export interface MemberRecord {
  _id: string
  /** grows with every look: others see by it, and by no clock, whether the process lives */
  beat: number
  /** the members among whom it divides WeChat's limits, itself included */
  counted: string[]
}

const schema = recordSchema({ _id: String, beat: Number, counted: [String] })
const most_members = 1_000

/** Who shares WeChat Pay's limits. A record is changed by its process alone, and taken out by another once it stands. */
export class Members {
  readonly #members: Collection<MemberRecord>

  constructor(connections: Connections) {
    this.#members = new Collection(connections, 'members', schema)
  }

  async join(member: MemberRecord): Promise<void> {
    await this.#members.insert(member)
  }

  /** False: another has taken it out, since it stood still for too long. */
  async beat({ _id, beat, counted }: MemberRecord): Promise<boolean> {
    return this.#members.update({ _id }, { $set: { beat, counted } })
  }

  async all(): Promise<MemberRecord[]> {
    return this.#members.find({}, { limit: most_members, sort: { _id: 1 } })
  }

  /** Takes out one that still stands at this beat. False: it lives. */
  async takeOut({ _id, beat }: Pick<MemberRecord, '_id' | 'beat'>): Promise<boolean> {
    return (await this.#members.remove({ _id, beat })) > 0
  }

  async leave(_id: string): Promise<void> {
    await this.#members.remove({ _id })
  }

  async ensureIndexes(): Promise<void> {
    await this.#members.ensureIndexes()
  }
}
