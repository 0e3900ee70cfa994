import { Allowances } from './allowances.ts'
import { openConnections } from './connection.ts'
import type { DatabaseAddress } from './connection.ts'
import { Bills } from './bills.ts'
import { Changes } from './changes.ts'
import { Checkouts } from './checkouts.ts'
import { Deliveries } from './deliveries.ts'
import { Differences } from './differences.ts'
import { Endpoints } from './endpoints.ts'
import { Events } from './events.ts'
import { Evidence } from './evidence.ts'
import { Journal } from './journal.ts'
import { Keys } from './keys.ts'
import { Leases } from './leases.ts'
import { Members } from './members.ts'
import { Merchants } from './merchants.ts'
import { Orders } from './orders.ts'
import { Payments } from './payments.ts'
import { Probes } from './probes.ts'
import { Reconciliations } from './reconciliations.ts'
import { Reports } from './reports.ts'
import { References } from './references.ts'
import { Refunds } from './refunds.ts'
import { Rejections } from './rejections.ts'
import type { Sealer } from './sealer.ts'
import { StuckRuns } from './stuckruns.ts'

export interface StoreOptions extends DatabaseAddress {
  sealer: Sealer
}

/** Everything Weft keeps. Every operation rejects with `StoreUnavailable` when the database did not answer. */
export interface Store {
  orders: Orders
  checkouts: Checkouts
  payments: Payments
  refunds: Refunds
  allowances: Allowances
  references: References
  evidence: Evidence
  rejections: Rejections
  journal: Journal
  events: Events
  deliveries: Deliveries
  endpoints: Endpoints
  merchants: Merchants
  keys: Keys
  leases: Leases
  members: Members
  probes: Probes
  stuck_runs: StuckRuns
  bills: Bills
  bill_changes: Changes
  reconciliations: Reconciliations
  reports: Reports
  differences: Differences
  /** for what others archive and must not lie readable: WeChat's raw answers, merchants' confirmations */
  sealer: Sealer
  /** Repeatable; the worker calls it at start, and again until it succeeds. */
  ensureIndexes(): Promise<void>
  /** Whether the database answers within about two seconds. Never rejects. */
  isReachable(): Promise<boolean>
  close(): Promise<void>
}

/**
 * Opens the store. A database that is away does not make it throw: operations fail until it is there, and then work.
 * Throws for a URI that can never work.
 */
export async function openStore({ sealer, ...place }: StoreOptions): Promise<Store> {
  const connections = await openConnections(place)
  const payments = new Payments(connections)
  const orders = new Orders(connections, payments)
  const references = new References(connections)
  const collections = {
    orders,
    checkouts: new Checkouts(connections, orders, references),
    payments,
    refunds: new Refunds(connections),
    allowances: new Allowances(connections),
    references,
    evidence: new Evidence(connections),
    rejections: new Rejections(connections),
    journal: new Journal(connections),
    events: new Events(connections),
    deliveries: new Deliveries(connections),
    endpoints: new Endpoints(connections, sealer),
    merchants: new Merchants(connections, sealer),
    keys: new Keys(connections),
    leases: new Leases(connections),
    members: new Members(connections),
    probes: new Probes(connections),
    stuck_runs: new StuckRuns(connections),
    bills: new Bills(connections, sealer),
    bill_changes: new Changes(connections),
    reconciliations: new Reconciliations(connections),
    reports: new Reports(connections),
    differences: new Differences(connections),
  }
  return {
    ...collections,
    sealer,
    ensureIndexes: async () => {
      // One after the other: index builds of FerretDB that run side by side wait for each other's locks.
      for (const collection of Object.values(collections)) await collection.ensureIndexes()
    },
    isReachable: () =>
      connections.ping().then(
        () => true,
        () => false,
      ),
    close: () => connections.close(),
  }
}
