"""Serves /srv/mirror/NAME to whoever asks for the host NAME, over HTTP and HTTPS."""

import functools
import http.server
import os
import ssl
import threading

ROOT = '/srv/mirror'


class Handler(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        site = os.path.basename(self.headers.get('Host', '').split(':')[0])
        self.directory = os.path.join(ROOT, site)
        return super().translate_path(path)


def serve(port, context=None):
    server = http.server.ThreadingHTTPServer(('', port), functools.partial(Handler, directory=ROOT))
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
secure.load_cert_chain(ROOT + '/mirror.crt', ROOT + '/mirror.key')
threading.Thread(target=serve, args=(443, secure), daemon=True).start()
serve(80)
