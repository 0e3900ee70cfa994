#!/bin/sh
# An order by curl, and the wait for its payment: WEFT_URL=… WEFT_KEY=… sh examples/order.sh
set -eu

# The first text of that name in the answer: enough here; in your shop use a JSON library.
field() { printf '%s' "$answer" | grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }

weft() {
  answer=$(curl -sS -w '\n%{http_code}' "$WEFT_URL$1" -H "authorization: Bearer $WEFT_KEY" -H 'content-type: application/json' ${2:+-d "$2"})
  status=${answer##*
}
  if [ "$status" -ge 300 ]; then
    echo "Weft says $(field code): $(field detail) $(field remedy)" >&2
    exit 1
  fi
}

# Keep the number in your database first: the same number again is the same order.
number=T$(od -An -N15 -tx1 /dev/urandom | tr -d ' \n')
weft /v1/orders "{\"out_trade_no\":\"$number\",\"description\":\"A cup of tea\",\"amount\":{\"total\":990}}"
echo "pay $(field checkout_url)"
while :; do
  weft "/v1/orders/$number"
  state=$(field state)
  case $state in created | awaiting_payment | closing) sleep 1 ;; *) break ;; esac
done
echo "$state $number"
