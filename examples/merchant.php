<?php // A whole merchant: WEFT_URL=… WEFT_KEY=… WEFT_SECRET=… php -S 127.0.0.1:3000 examples/merchant.php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/buy') {
    $number = 'T' . bin2hex(random_bytes(15)); // keep it in your database first: the same number again is the same order
    $order = ['out_trade_no' => $number, 'description' => 'A cup of tea', 'amount' => ['total' => 990]];
    $headers = ['Authorization: Bearer ' . getenv('WEFT_KEY'), 'Content-Type: application/json'];
    $request = ['method' => 'POST', 'header' => $headers, 'content' => json_encode($order), 'ignore_errors' => true];
    $placed = @file_get_contents(getenv('WEFT_URL') . '/v1/orders', false, stream_context_create(['http' => $request]));
    $answer = json_decode($placed ?: '{"code":"unreachable","detail":"Weft does not answer.","remedy":"Try again."}', true);
    if (isset($answer['checkout_url'])) {
        header('Location: ' . $answer['checkout_url'], true, 303);
        exit;
    }
    error_log($said = "Weft says {$answer['code']}: {$answer['detail']} {$answer['remedy']}");
    http_response_code(500);
    echo $said;
} elseif ($path === '/weft') {
    $body = file_get_contents('php://input');
    ['HTTP_WEBHOOK_ID' => $id, 'HTTP_WEBHOOK_TIMESTAMP' => $time, 'HTTP_WEBHOOK_SIGNATURE' => $signatures] = $_SERVER + ['HTTP_WEBHOOK_ID' => '', 'HTTP_WEBHOOK_TIMESTAMP' => '0', 'HTTP_WEBHOOK_SIGNATURE' => ''];
    $key = base64_decode(substr(getenv('WEFT_SECRET'), strlen('whsec_')));
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
    $genuine = array_filter(explode(' ', $signatures), fn ($signature) => hash_equals($expected, $signature));
    if (!$genuine || abs(time() - (int) $time) > 300) exit(http_response_code(401));
    ['type' => $type, 'data' => $data] = json_decode($body, true);
    $number = $data['order']['out_trade_no'] ?? 'none';
    $shipped = sys_get_temp_dir() . "/weft-shipped-$number"; // keep it in your database
    if ($type === 'order.paid' && @fopen($shipped, 'x')) error_log("ship $number"); // once per out_trade_no
    if (str_starts_with($type, 'refund.')) error_log("$type {$data['refund']['out_refund_no']} {$data['refund']['amount']['refund']}");
    header('Content-Type: application/json');
    // To order.fulfilment_cancelled this means: too late, it is on its way; without it the money goes back.
    echo json_encode(file_exists($shipped) ? ['fulfilment' => 'fulfilled'] : new stdClass);
} else {
    http_response_code(404);
}
