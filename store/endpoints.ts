import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import type { EndpointRecord } from '../domain/merchant/record.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'
import { openedUnlessBroken, sealPlace } from './sealer.ts'
import type { Resealed, Sealer } from './sealer.ts'

const schema = recordSchema({
  _id: String,
  id: String,
  mchid: String,
  url: String,
  role: String,
  event_types: [String],
  description: String,
  state: String,
  disable_reason: String,
  disabled_time: Date,
  secrets: [partSchema({ secret: partSchema({ sealed: String, key_id: String }), hint: String, expire_time: Date })],
  create_time: Date,
  last_success_time: Date,
  failing_since_time: Date,
})
schema.index({ mchid: 1, create_time: 1 })
schema.index({ id: 1 })

const most_endpoints = 1_000
/** that sign beside each other at one endpoint */
export const most_secrets = 3
const hint_characters = 4
const success_noted_every_ms = 10_000

function secretsPlace(_id: string): string {
  return sealPlace('endpoints', _id, 'secrets')
}

/** Where merchants hear of events. Secrets lie sealed; they are opened to sign, and shown never again. */
export class Endpoints {
  readonly #endpoints: Collection<EndpointRecord>
  readonly #sealer: Sealer

  constructor(connections: Connections, sealer: Sealer) {
    this.#endpoints = new Collection(connections, 'endpoints', schema)
    this.#sealer = sealer
  }

  /** A new `whsec_…` as an endpoint keeps it: sealed, with its last characters as the hint people know it by. */
  sealSecret(_id: string, secret: string, expire_time: Time | null = null): EndpointRecord['secrets'][number] {
    return { secret: this.#sealer.seal(secret, secretsPlace(_id)), hint: secret.slice(-hint_characters), expire_time }
  }

  /** The secrets that sign at `now` (Unix ms), opened, newest last as they were added. */
  openSecrets(endpoint: Pick<EndpointRecord, '_id' | 'secrets'>, now: number): string[] {
    return endpoint.secrets
      .filter(({ expire_time }) => expire_time === null || milliseconds(expire_time) > now)
      .map(({ secret }) => this.#sealer.open(secret, secretsPlace(endpoint._id)))
  }

  /** One endpoint per URL: a second one is answered with the first, which stays as it is. */
  async add(endpoint: EndpointRecord): Promise<{ inserted: true } | { inserted: false; existing: EndpointRecord }> {
    return this.#endpoints.insertOrFind(endpoint)
  }

  /** One more secret that signs beside those before it, of which the latest are kept. Null: there is no endpoint. */
  async addSecret(_id: string, secret: EndpointRecord['secrets'][number]): Promise<EndpointRecord | null> {
    return this.#endpoints.updateAndReturn({ _id }, { $push: { secrets: { $each: [secret], $slice: -most_secrets } } })
  }

  /** Has an endpoint's events sent elsewhere, those under way too: id and secrets stay. Null: there is no endpoint. */
  async move(mchid: string, id: string, url: string): Promise<EndpointRecord | null> {
    return this.#endpoints.updateAndReturn({ mchid, id }, { $set: { url, failing_since_time: null } })
  }

  /**
   * Puts other secrets in place of exactly those that were read: null when there is no endpoint, or somebody else changed
   * them meanwhile.
   */
  async replaceSecrets(read: EndpointRecord, secrets: EndpointRecord['secrets']): Promise<EndpointRecord | null> {
    const seals = read.secrets.map(({ secret }) => secret.sealed)
    const is_as_read = { _id: read._id, 'secrets.secret.sealed': { $all: seals }, secrets: { $size: seals.length } }
    return this.#endpoints.updateAndReturn(is_as_read, { $set: { secrets: secrets.slice(-most_secrets) } })
  }

  /**
   * Seals secrets of an endpoint anew where the newest key did not seal them.
   */
  async reseal(endpoint: EndpointRecord): Promise<Resealed> {
    const place = secretsPlace(endpoint._id)
    const broken: string[] = []
    let changed = 0
    const secrets = endpoint.secrets.map((one) => {
      if (this.#sealer.isFresh(one.secret, place)) return one
      const opened = openedUnlessBroken(() => this.#sealer.open(one.secret, place))
      if (opened === null) {
        broken.push(place)
        return one
      }
      changed += 1
      return { ...one, secret: this.#sealer.seal(opened, place) }
    })
    if (changed > 0) await this.replaceSecrets(endpoint, secrets)
    return { changed, broken }
  }

  /** The endpoint that events are sent to at this URL, whichever it was made with. */
  async findByUrl(mchid: string, url: string): Promise<EndpointRecord | null> {
    return this.#endpoints.findOne({ mchid, url })
  }

  /** Oldest first. */
  async list(mchid: string): Promise<EndpointRecord[]> {
    return this.#endpoints.find({ mchid }, { limit: most_endpoints, sort: { create_time: 1, _id: 1 } })
  }

  async listEnabled(mchid: string): Promise<EndpointRecord[]> {
    const all = await this.list(mchid)
    return all.filter(({ state }) => state === 'enabled')
  }

  /** By the full `_id`, which begins with the mchid. */
  async find(_id: string): Promise<EndpointRecord | null> {
    return this.#endpoints.findOne({ _id })
  }

  async findPublic(mchid: string, id: string): Promise<EndpointRecord | null> {
    return this.#endpoints.findOne({ mchid, id })
  }

  /** By its public id; false: there was none. */
  async remove(mchid: string, id: string): Promise<boolean> {
    return (await this.#endpoints.remove({ mchid, id })) > 0
  }

  /** It answered: failing is over. Without a failing, at most one write in ten seconds: deliveries come by the hundred. */
  async noteSuccess(_id: string, time: Time): Promise<void> {
    const a_while_ago = beijingTime(milliseconds(time) - success_noted_every_ms)
    const is_news = [
      { failing_since_time: { $ne: null } },
      { last_success_time: null },
      { last_success_time: { $lte: a_while_ago } },
    ]
    const success = { $max: { last_success_time: time }, $set: { failing_since_time: null } }
    await this.#endpoints.update({ _id, $or: is_news }, success)
  }

  /** It did not answer. The first failure since a success dates the failing. */
  async noteFailure(_id: string, time: Time): Promise<void> {
    await this.#endpoints.update({ _id, failing_since_time: null }, { $set: { failing_since_time: time } })
  }

  /** Decides which of several failing deliveries disables it: true for one of them, so that it is told once. */
  async disable(_id: string, reason: string, disabled_time: Time): Promise<boolean> {
    const disabled = { state: 'disabled', disable_reason: reason, disabled_time }
    return this.#endpoints.update({ _id, state: 'enabled' }, { $set: disabled })
  }

  /** What disabled it is over. Null: there is no such endpoint. */
  async enable(mchid: string, id: string): Promise<EndpointRecord | null> {
    const enabled = { state: 'enabled', disable_reason: null, disabled_time: null, failing_since_time: null }
    return this.#endpoints.updateAndReturn({ mchid, id }, { $set: enabled })
  }

  /** Its answers are the ones that decide, and it hears everything. Null: there is none, or it is disabled. */
  async promote(mchid: string, id: string): Promise<EndpointRecord | null> {
    const decides = { role: 'fulfilment', event_types: ['*'] }
    return this.#endpoints.updateAndReturn({ mchid, id, state: 'enabled' }, { $set: decides })
  }

  /** All but this one are observers: what decided before goes on to hear everything. */
  async demoteOthers(mchid: string, id: string): Promise<void> {
    const others = (await this.list(mchid)).filter((one) => one.role === 'fulfilment' && one.id !== id)
    for (const { _id } of others) await this.#endpoints.update({ _id }, { $set: { role: 'observer' } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#endpoints.ensureIndexes()
  }
}
