"""The one list of what prompt files can declare beyond one exchange."""

from gptkit.capabilities.character.config import CHARACTER
from gptkit.capabilities.conversation.config import CONVERSATION
from gptkit.capabilities.course.config import COURSE
from gptkit.capabilities.documents.config import DOCUMENTS
from gptkit.capabilities.long.config import LONG
from gptkit.capabilities.tools.config import TOOLS
from gptkit.exchange.capability import Capability

CAPABILITIES: tuple[Capability, ...] = (TOOLS, COURSE, CHARACTER, DOCUMENTS, CONVERSATION, LONG)
"""In the order in which they take over a call, and in which they prepare a request."""
