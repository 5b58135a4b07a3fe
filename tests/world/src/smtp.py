"""A real SMTP server for the test world: submission with a password, one file for each accepted mail.

Settings come as JSON on the command line's only argument (a file): port, user, password, folder.
"""

import asyncio
import json
import os
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

with open(sys.argv[1], encoding="utf-8") as file:
    SETTINGS = json.load(file)


def authenticate(server, session, envelope, mechanism, data):
    if not isinstance(data, LoginPassword):
        return AuthResult(success=False, handled=False)
    wanted = (SETTINGS["user"].encode(), SETTINGS["password"].encode())
    # handled=False: the server answers 535 itself.
    return AuthResult(success=(data.login, data.password) == wanted, handled=False)


# Whole domains whose mail is not taken: for good, or for the moment.
REFUSED = {"refused.example": "550 5.1.1 No such user here", "later.example": "451 4.7.1 Try again later"}


class Keep:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = REFUSED.get(address.rpartition("@")[2].lower())
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        folder = SETTINGS["folder"]
        name = f"{len(os.listdir(folder)):06d}-{os.getpid()}-{Keep.count:06d}"
        partial = os.path.join(folder, "." + name)
        with open(partial, "wb") as file:
            # The envelope stands before the mail, as one line of JSON.
            envelope_line = {"from": envelope.mail_from, "to": envelope.rcpt_tos}
            file.write(json.dumps(envelope_line).encode() + b"\n" + envelope.original_content)
            file.flush()
            os.fsync(file.fileno())
        # A reader never sees half a mail.
        os.rename(partial, os.path.join(folder, name + ".eml"))
        return "250 2.0.0 kept as " + name


async def main():
    loop = asyncio.get_running_loop()

    def serve():
        return SMTP(
            Keep(),
            hostname="smtp.world.test",
            data_size_limit=32 * 1024 * 1024,
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=False,
            enable_SMTPUTF8=True,
        )

    server = await loop.create_server(serve, "127.0.0.1", SETTINGS["port"])
    await server.serve_forever()


asyncio.run(main())
