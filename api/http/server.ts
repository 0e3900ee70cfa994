import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { limits } from '../../domain/policy.ts'

/**
 * The server of the API, which bounds what a connection may hold: 8 kB of headers, 10 s for them, 30 s for a request,
 * looked at every second. Open pages take at most 2,000 connections of the 5,000.
 */
export function createApiServer(handle: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: limits.request_header_bytes,
      connectionsCheckingInterval: 1_000,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      // Longer than load balancers keep theirs, so that none sends a request into a connection that is just closing.
      keepAliveTimeout: 65_000,
    },
    handle,
  )
  server.maxConnections = limits.connections
  return server
}
