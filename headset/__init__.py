"""What is worn: device models, drawing them, and their mask on footage."""
