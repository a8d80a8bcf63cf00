"""An HL7 v2 listener to see messages with: prints each, and confirms it.

python docs/hl7_listener.py 2575
"""

import asyncio
import sys

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


async def take(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
    """Print and confirm what one connection brings."""
    try:
        while True:
            message = await reader.readmessage()
            print(str(message).replace("\r", "\n"), flush=True)  # noqa: T201
            writer.writemessage(message.create_ack("AA"))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port: int) -> None:
    """Listen on this machine until ended."""
    async with await start_hl7_server(take, "127.0.0.1", port, encoding="utf-8") as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
