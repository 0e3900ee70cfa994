import type { CatalogueEntry } from './catalogueentry.ts'
import { checkout_problems } from './checkoutproblems.ts'
import { merchant_problems } from './readiness.ts'
import { original_problems } from './originals.ts'
import { refund_problems } from './refusals.ts'

/** Every problem the API can answer with (docs/api.md, Errors). Codes never change; texts may. */
export const catalogue = {
  malformed_json: {
    status: 400,
    retryable: false,
    title: { en: 'The body is not JSON', 'zh-CN': '请求体不是合法的 JSON' },
    detail: {
      en: 'The request body could not be read as JSON in UTF-8; or a name comes twice in an object, is “__proto__”, or lies deeper than 16 levels; or an object has over 256 names.',
      'zh-CN':
        '无法将请求体按 UTF-8 编码的 JSON 解析，或对象中有重复的字段名、名为 “__proto__” 的字段，嵌套超过 16 层，或一个对象有超过 256 个字段。',
    },
    remedy: {
      en: 'Serialise the body with a JSON library, encode it as UTF-8 and send it again.',
      'zh-CN': '请使用 JSON 库序列化请求体，以 UTF-8 编码后重新发送。',
    },
  },
  invalid_request: {
    status: 400,
    retryable: false,
    title: { en: 'The request is not valid', 'zh-CN': '请求参数有误' },
    detail: {
      en: 'Something in the request is missing, wrong or unknown; errors[] names each field.',
      'zh-CN': '请求中有缺失、错误或未知的字段，errors[] 中逐一列出。',
    },
    remedy: {
      en: 'Correct the fields named in errors[] and send the request again.',
      'zh-CN': '请按 errors[] 的提示修正各字段后重新请求。',
    },
  },
  unauthenticated: {
    status: 401,
    retryable: false,
    title: { en: 'No valid key', 'zh-CN': '缺少有效的密钥' },
    detail: {
      en: 'The request carries no key, or one that is unknown, expired or revoked.',
      'zh-CN': '请求未携带密钥，或密钥不存在、已过期、已吊销。',
    },
    remedy: {
      en: 'Send “Authorization: Bearer weft_…” with a key of this installation; ask its operator for a new one if needed.',
      'zh-CN': '请在请求头携带 “Authorization: Bearer weft_…”；如密钥失效，请向 Weft 的运维人员申请新密钥。',
    },
  },
  forbidden: {
    status: 403,
    retryable: false,
    title: { en: 'The key may not do this', 'zh-CN': '密钥权限不足' },
    detail: { en: 'This needs the scope {required_scope}.', 'zh-CN': '该操作需要权限 {required_scope}。' },
    remedy: {
      en: 'Use a key that has the scope {required_scope}.',
      'zh-CN': '请使用具有 {required_scope} 权限的密钥。',
    },
  },
  not_found: {
    status: 404,
    retryable: false,
    title: { en: 'No such thing', 'zh-CN': '未找到' },
    detail: {
      en: 'For the merchant and the mode of this key there is nothing at this address, or under a number that the body names.',
      'zh-CN': '该密钥所属的商户和模式下，没有此地址或请求体所指的资源。',
    },
    remedy: {
      en: 'Check the path, which is in lower case and has no slash at its end, and the number; and that the key belongs to the right merchant and mode (live or test).',
      'zh-CN': '请检查路径（全小写，末尾没有斜杠）和单号，并确认密钥所属商户及模式（live 或 test）正确。',
    },
  },
  method_not_allowed: {
    status: 405,
    retryable: false,
    title: { en: 'This method is not possible here', 'zh-CN': '不支持的请求方法' },
    detail: { en: 'This address answers {allowed} only.', 'zh-CN': '该地址仅支持 {allowed}。' },
    remedy: { en: 'Use one of the methods named in Allow.', 'zh-CN': '请使用响应头 Allow 中列出的方法。' },
  },
  body_too_large: {
    status: 413,
    retryable: false,
    title: { en: 'The body is too large', 'zh-CN': '请求体过大' },
    detail: { en: 'A body may have at most 64 KiB.', 'zh-CN': '请求体不得超过 64 KiB。' },
    remedy: { en: 'Send less, for example shorter metadata.', 'zh-CN': '请减少内容，例如缩短 metadata。' },
  },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    title: { en: 'The body is not JSON', 'zh-CN': '不支持的内容类型' },
    detail: {
      en: 'A body must be application/json, without a content encoding.',
      'zh-CN': '请求体必须为 application/json，且不能使用压缩编码。',
    },
    remedy: {
      en: 'Send “Content-Type: application/json” and an uncompressed body.',
      'zh-CN': '请设置 “Content-Type: application/json” 并发送未压缩的请求体。',
    },
  },
  order_number_reused: {
    status: 409,
    retryable: false,
    title: { en: 'The order number was used with another body', 'zh-CN': '商户订单号重复且内容不一致' },
    detail: {
      en: 'An order {out_trade_no} exists, and this request differs from it in: {fields}.',
      'zh-CN': '订单 {out_trade_no} 已存在，且本次请求的以下字段与其不同：{fields}。',
    },
    remedy: {
      en: 'Send the same body to get the existing order, or use a new out_trade_no. Prefer expire_in, since a computed time_expire changes on every retry.',
      'zh-CN':
        '如需取回原订单，请发送相同的请求体；否则请使用新的 out_trade_no。建议使用 expire_in，因为每次计算出的 time_expire 都会不同。',
    },
  },
  order_state: {
    status: 409,
    retryable: false,
    title: { en: 'Not possible in this state', 'zh-CN': '当前订单状态不允许此操作' },
    detail: {
      en: 'The order is {state}; this is possible in {allowed}.',
      'zh-CN': '订单状态为 {state}；仅在 {allowed} 时允许此操作。',
    },
    remedy: {
      en: 'Read the order and act on the state it is in. One in review is decided first, with POST /v1/orders/{out_trade_no}/review.',
      'zh-CN':
        '请查询订单，并根据其当前状态处理。状态为 review 的订单须先通过 POST /v1/orders/{out_trade_no}/review 作出决定。',
    },
  },
  order_paid: {
    status: 409,
    retryable: false,
    title: { en: 'The order is already paid', 'zh-CN': '订单已支付' },
    detail: {
      en: 'Money for this order has arrived; its state is {state}.',
      'zh-CN': '该订单已收到付款，状态为 {state}。',
    },
    remedy: {
      en: 'Read the order. Ship it, or say that you cannot through POST …/fulfilment.',
      'zh-CN': '请查询订单：可以发货，或通过 POST …/fulfilment 告知无法履约。',
    },
  },
  difference_state: {
    status: 409,
    retryable: false,
    title: { en: 'Not possible in this state', 'zh-CN': '当前差异状态不允许此操作' },
    detail: { en: 'The difference is {state}.', 'zh-CN': '该差异的状态为 {state}。' },
    remedy: {
      en: 'Read the difference: one that is healed needs nothing, one that is ignored or settled can be reopened, and a timeline of 200 entries takes no more notes.',
      'zh-CN':
        '请查询该差异：healed 无需处理；只有 ignored 或 settled 的差异可以 reopen；timeline 已满 200 条时不再接受备注。',
    },
  },
  difference_action: {
    status: 409,
    retryable: false,
    title: { en: 'Not possible for this difference', 'zh-CN': '该差异不支持此操作' },
    detail: {
      en: 'The action {action} cannot be done about this difference of kind {kind}: {why}.',
      'zh-CN': '该差异（种类 {kind}）不支持操作 {action}：{why}。',
    },
    remedy: {
      en: 'Use the action {instead}. What can be done about which kind, and why, stands in docs/reconcile.md, “What a person can do”.',
      'zh-CN': '请改用操作 {instead}。各种类可做什么、为什么，见 docs/zh-CN/reconcile.md 的“人工可以做什么”。',
    },
  },
  ...original_problems,
  already_decided: {
    status: 409,
    retryable: false,
    title: { en: 'Another answer was given before', 'zh-CN': '此前已给出不同的结果' },
    detail: {
      en: 'What was answered is “{result}”.',
      'zh-CN': '此前给出的结果为 “{result}”。',
    },
    remedy: {
      en: 'Read the order or the refund; a decision is made once. A sale is undone by a refund.',
      'zh-CN': '请查询订单或退款单；结果只能确定一次。如需撤销交易，请退款。',
    },
  },
  ...refund_problems,
  reference_paid: {
    status: 409,
    retryable: false,
    title: { en: 'The sale is already paid', 'zh-CN': '该笔交易已通过其他订单支付' },
    detail: {
      en: 'Order {paid_by} of the same reference is paid.',
      'zh-CN': '同一 reference 的订单 {paid_by} 已支付。',
    },
    remedy: {
      en: 'Ship that order. For another sale use another reference.',
      'zh-CN': '请对该订单发货。如为另一笔交易，请使用不同的 reference。',
    },
  },
  ...checkout_problems,
  ...merchant_problems,
  fulfilment_endpoint_exists: {
    status: 409,
    retryable: false,
    title: { en: 'There is a fulfilment endpoint already', 'zh-CN': '履约地址已存在' },
    detail: {
      en: 'A merchant has one fulfilment endpoint; it is {endpoint_id}.',
      'zh-CN': '每个商户只能有一个履约地址，现有地址为 {endpoint_id}。',
    },
    remedy: {
      en: 'Add this one as an observer; POST /v1/endpoints/…/fulfilment with its id then lets it decide in place of the other.',
      'zh-CN': '请将此地址添加为 observer，再以其 id 调用 POST /v1/endpoints/…/fulfilment，由它代替原有地址。',
    },
  },
  endpoint_limit_reached: {
    status: 409,
    retryable: false,
    title: { en: 'There are as many endpoints as a merchant may have', 'zh-CN': '地址数量已达上限' },
    detail: {
      en: 'A merchant has at most {limit} endpoints, since each event is sent to each of them.',
      'zh-CN': '每个事件都要发往每个地址，因此每个商户最多 {limit} 个地址。',
    },
    remedy: {
      en: 'Delete one that is not needed, or let one endpoint pass events on.',
      'zh-CN': '请删除不需要的地址，或由一个地址转发事件。',
    },
  },
  fulfilment_endpoint_missing: {
    status: 409,
    retryable: false,
    title: { en: 'There is no fulfilment endpoint', 'zh-CN': '缺少履约地址' },
    detail: {
      en: 'The merchant’s fulfilment mode is “event”, and no endpoint would receive order.paid.',
      'zh-CN': '商户的履约模式为 “event”，但没有接收 order.paid 的履约地址。',
    },
    remedy: {
      en: 'POST /v1/endpoints with role “fulfilment”, then send the same request again.',
      'zh-CN': '请先通过 POST /v1/endpoints 添加 role 为 “fulfilment” 的地址，然后重新发送相同的请求。',
    },
  },
  endpoint_in_use: {
    status: 409,
    retryable: false,
    title: { en: 'The endpoint is needed', 'zh-CN': '地址正在使用' },
    detail: {
      en: 'The merchant’s fulfilment mode is “event”, and this endpoint gives the answers.',
      'zh-CN': '商户的履约模式为 “event”，该地址负责给出履约结果。',
    },
    remedy: {
      en: 'Let another endpoint decide first, with POST /v1/endpoints/…/fulfilment, or have the merchant’s fulfilment mode changed; then delete this one.',
      'zh-CN': '请先用 POST /v1/endpoints/…/fulfilment 改由另一个地址决定，或更改商户的履约模式，再删除该地址。',
    },
  },
  endpoint_exists: {
    status: 409,
    retryable: false,
    title: { en: 'The URL has an endpoint that differs', 'zh-CN': '该地址已登记，且设置不同' },
    detail: {
      en: 'Endpoint {endpoint_id} has this URL, with other {fields}.',
      'zh-CN': '地址 {endpoint_id} 已登记该 URL，以下字段不同：{fields}。',
    },
    remedy: {
      en: 'Send the values that GET /v1/endpoints/{endpoint_id} shows, or delete it first and add it anew.',
      'zh-CN': '请按 GET /v1/endpoints/{endpoint_id} 返回的取值提交，或先删除再重新添加。',
    },
  },
  endpoint_disabled: {
    status: 409,
    retryable: false,
    title: { en: 'The endpoint is disabled', 'zh-CN': '该地址已停用' },
    detail: { en: 'Nothing is sent to it: {reason}.', 'zh-CN': '不会向其发送任何内容：{reason}。' },
    remedy: {
      en: 'POST /v1/endpoints/{endpoint_id}/enable, then send the same request again.',
      'zh-CN': '请调用 POST /v1/endpoints/{endpoint_id}/enable，然后重新发送相同的请求。',
    },
  },
  endpoint_url_forbidden: {
    status: 422,
    retryable: false,
    title: { en: 'Events may not be sent there', 'zh-CN': '不允许向该地址发送事件' },
    detail: { en: 'The URL is refused: {reason}.', 'zh-CN': '该地址被拒绝：{reason}。' },
    remedy: {
      en: 'Use an https URL on a public address, without a user name, password or fragment.',
      'zh-CN': '请使用公网 https 地址，且不包含用户名、密码或片段。',
    },
  },
  wechat_refused: {
    status: 422,
    retryable: false,
    title: { en: 'WeChat Pay refused it', 'zh-CN': '微信支付拒绝了该请求' },
    detail: { en: 'WeChat Pay said {code}: {message}', 'zh-CN': '微信支付返回 {code}：{message}' },
    remedy: {
      en: 'Correct what WeChat Pay names and send it again; a new order needs a new out_trade_no.',
      'zh-CN': '请根据微信支付的提示修正后重新提交；重新下单须使用新的 out_trade_no。',
    },
  },
  product_refused: {
    status: 422,
    retryable: false,
    title: { en: 'WeChat Pay refuses this way to pay', 'zh-CN': '微信支付拒绝了该支付方式' },
    detail: {
      en: 'WeChat Pay does not let this merchant use {trade_type}; it said {code}: {message}',
      'zh-CN': '微信支付不允许该商户使用 {trade_type}，返回 {code}：{message}',
    },
    remedy: {
      en: 'Offer another trade_type, under a new out_trade_no. The operator finds attention “product_not_enabled”: the product is to be enabled in WeChat Pay’s console (产品中心), or collecting is restricted there.',
      'zh-CN':
        '请以新的 out_trade_no 改用其他 trade_type。运维人员可见提醒 product_not_enabled：须在微信支付商户平台“产品中心”开通该产品，或解除收款限制。',
    },
  },
  rate_limited: {
    status: 429,
    retryable: true,
    title: { en: 'Too many requests', 'zh-CN': '请求过于频繁' },
    detail: { en: 'This key has used up its pace for the moment.', 'zh-CN': '该密钥的请求频率已达上限。' },
    remedy: {
      en: 'Wait the seconds named in Retry-After, then send the same request again.',
      'zh-CN': '请等待 Retry-After 指定的秒数后，重新发送相同的请求。',
    },
  },
  internal: {
    status: 500,
    retryable: true,
    title: { en: 'Our fault', 'zh-CN': '系统内部错误' },
    detail: {
      en: 'Something failed here that should not; it is in our log under the request id.',
      'zh-CN': '系统出现异常，已按请求编号记录在日志中。',
    },
    remedy: {
      en: 'Send the same request again; if it goes on, tell the operator the request_id.',
      'zh-CN': '请重新发送相同的请求；如持续出现，请将 request_id 告知运维人员。',
    },
  },
  unavailable: {
    status: 503,
    retryable: true,
    title: { en: 'Not available at the moment', 'zh-CN': '服务暂时不可用' },
    detail: {
      en: 'Not reachable or overloaded at the moment: {part}.',
      'zh-CN': '以下部分暂时无法访问或负载过高：{part}。',
    },
    remedy: {
      en: 'Wait the seconds named in Retry-After, then send the same request again; nothing is done twice.',
      'zh-CN': '请等待 Retry-After 指定的秒数后，重新发送相同的请求；系统不会重复处理。',
    },
  },
} as const satisfies Record<string, CatalogueEntry>

export type ProblemCode = keyof typeof catalogue
